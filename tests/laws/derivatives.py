"""What must be true of the derived equations of any cell, evaluated as they are written.

Each function states one law of a case and fails where it does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from cellwise.autodiff.derivative import Derivative
from cellwise.autodiff.forward import tangent
from cellwise.autodiff.reverse import backward
from cellwise.graph.system import System
from tests.evaluate import Array, Feed, Trace, evaluate
from tests.gradients import STEP, Gradients, back_feed, gradients_of, moved, places, tangent_feed
from tests.laws.case import Case
from tests.tolerances import TOLERANCE

EXACT, GRAD, DIFFERENCE = (
    TOLERANCE[torch.float64][kind] for kind in ("exact", "grad", "difference")
)


def direction(case: Case, feed: Feed, seed: int = 1) -> dict[str, Array]:
    """A change of everything that the system is given."""
    return {name: case.draw(a.shape, seed) for name, a in places(feed).items()}


def mixture(case: Case, feed: Feed) -> tuple[Array, dict[str, Array]]:
    """Cotangents of the output at every step, and of the last states."""
    trace = evaluate(case.system, feed)
    edges = {name: case.draw(a.shape, 2) for name, a in trace.edges.items()}
    return case.draw(trace.signals[case.system.output].shape, 3), edges


def sent_back(case: Case, feed: Feed, derived: Derivative | None = None) -> Gradients:
    """The gradients of the mixture, by the backward equations as written."""
    derived = derived or backward(case.system)
    weights, edges = mixture(case, feed)
    forward = evaluate(case.system, feed)
    fed = back_feed(case.system, derived, feed, forward, weights, edges)
    back = evaluate(derived.system, with_open_sizes(case, derived, fed))
    return gradients_of(case.system, derived, feed, back, edges)


def with_open_sizes(case: Case, derived: Derivative, fed: Feed) -> Feed:
    """The feed with sizes for signals that derived equations leave open: nobody reads them."""
    signals = (*case.system.defined, *case.system.inputs)
    shapes = {name: case.numbers(case.system.shape_of(name)) for name in signals}
    sizes = {derived.names[name]: shape[0] for name, shape in shapes.items() if shape}
    return replace(fed, sizes={**fed.sizes, **sizes})


def mixed(case: Case, feed: Feed) -> float:
    """The mixture of all outputs and last states as a number."""
    weights, edges = mixture(case, feed)
    trace = evaluate(case.system, feed)
    final = sum(float(np.sum(edges[name] * trace.edges[name])) for name in edges)
    return float(np.sum(weights * trace.signals[case.system.output])) + final


def backward_agrees_with_differences(case: Case) -> None:
    """Along a direction of each array alone."""
    feed = case.feed()
    gradients = sent_back(case, feed)
    assert gradients.keys() == places(feed).keys()
    for name, change in direction(case, feed).items():
        above, below = (mixed(case, moved(feed, {name: change}, s * STEP)) for s in (1, -1))
        found = np.sum(gradients[name] * change)
        np.testing.assert_allclose(
            found, (above - below) / (2 * STEP), **DIFFERENCE, err_msg=f"d_{name}"
        )


def pushed(system: System, feed: Feed, by: Mapping[str, Array]) -> tuple[Derivative, Trace]:
    """The tangents along a direction, by the tangent equations as written."""
    derived = tangent(system)
    fed = tangent_feed(system, derived, feed, evaluate(system, feed), by)
    return derived, evaluate(derived.system, fed)


def forward_mode_agrees_with_differences(case: Case) -> None:
    """All signals and last states, along a direction of everything."""
    feed, system = case.feed(), case.system
    by = direction(case, feed)
    derived, trace = pushed(system, feed, by)
    above, below = (evaluate(system, moved(feed, by, s * STEP)) for s in (1, -1))
    for name in system.defined:
        wanted = (above.signals[name] - below.signals[name]) / (2 * STEP)
        found = trace.signals[derived.names[name]]
        np.testing.assert_allclose(found, wanted, **DIFFERENCE, err_msg=name)


def forward_and_backward_are_adjoint(case: Case) -> None:
    """⟨u, Jv⟩ = ⟨Jᵀu, v⟩"""
    feed, system = case.feed(), case.system
    by = direction(case, feed)
    derived, trace = pushed(system, feed, by)
    weights, edges = mixture(case, feed)
    last = _last_tangents(case, feed, derived, trace, by)
    left = np.sum(weights * trace.signals[derived.names[system.output]])
    left += sum(np.sum(edges[name] * last[name]) for name in edges)
    sent = sent_back(case, feed)
    np.testing.assert_allclose(sum(np.sum(sent[n] * by[n]) for n in by), left, **GRAD)


def _last_tangents(
    case: Case, feed: Feed, derived: Derivative, trace: Trace, by: Mapping[str, Array]
) -> dict[str, Array]:
    """The tangent of each last state; of the initial one where there is no step."""
    if feed.steps:
        return {n: trace.signals[derived.names[n]][-1] for n in case.system.states}
    return {n: by[case.learned.get(n, f"{n}[0]")] for n in case.system.states}


def second_order_agrees_with_differences(case: Case) -> None:
    """The tangent of the backward equations is the change of the gradients."""
    feed, system = case.feed(), case.system
    by = direction(case, feed)
    derived = backward(system)
    weights, edges = mixture(case, feed)
    forward = evaluate(system, feed)
    fed = back_feed(system, derived, feed, forward, weights, edges)
    ahead, dots = pushed(system, feed, by)
    second = tangent(derived.system)
    back = evaluate(derived.system, fed)
    twice = _second_feed(case, feed, (derived, ahead, second), (fed, dots, back), by)
    trace = evaluate(second.system, twice)
    above, below = (sent_back(case, moved(feed, by, s * STEP), derived) for s in (1, -1))
    for name in (*system.inputs, *system.parameters):
        wanted = (above[name] - below[name]) / (2 * STEP)
        found = {**trace.signals, **trace.totals}[second.names[derived.names[name]]]
        np.testing.assert_allclose(found, wanted, **DIFFERENCE, err_msg=name)


def _second_feed(
    case: Case,
    feed: Feed,
    names: tuple[Derivative, Derivative, Derivative],
    values: tuple[Feed, Trace, Trace],
    by: Mapping[str, Array],
) -> Feed:
    """What the tangent of the backward reads: all values, and their tangents."""
    (_, ahead, second), (fed, dots, back) = names, values
    known = {**fed.signals, **back.signals}
    moving = {name: dots.signals[ahead.names[name]] for name in case.system.defined}
    moving |= {name: by[name] for name in case.system.inputs}
    tangents = {
        second.names[name]: moving.get(name, np.zeros_like(array))
        for name, array in fed.signals.items()
    }
    starts = {n: by[case.learned.get(n, f"{n}[0]")] for n in case.system.states}
    edges = {**fed.edges, **{second.names[n]: starts[n] for n in starts if n in second.names}}
    parameters = {second.names[n]: by[n] for n in fed.parameters if n in second.names}
    return replace(
        fed,
        signals={**{n: known[n] for n in second.system.given if n in known}, **tangents},
        edges=edges,
        parameters={**fed.parameters, **parameters},
    )
