"""Compiled programs, run section by section in numpy."""

from __future__ import annotations

from collections.abc import Mapping

from cellwise.autodiff.derivative import Derivative
from cellwise.graph.system import System
from cellwise.passes.pipeline import Compiled
from tests.evaluate import Array, Feed, Trace, evaluate_program
from tests.gradients import Gradients, back_feed, gradients_of


def run(
    system: System,
    compiled: Compiled,
    feed: Feed,
    weights: Array,
    edges: Mapping[str, Array],
) -> tuple[Trace, Gradients]:
    """The forward's values and the backward's gradients.

    The backward gets nothing but what `saved` says the forward keeps, and the inputs.
    """
    forward = evaluate_program(compiled.forward, feed)
    kept = {n: forward.signals[n] for n in (*compiled.saved, *system.inputs)}
    derived = Derivative(compiled.backward.system, compiled.names, compiled.out, compiled.previous)
    fed = back_feed(system, derived, feed, Trace(kept, {}, {}), weights, edges)
    back = evaluate_program(compiled.backward, fed)
    return forward, gradients_of(system, derived, feed, back, edges)
