"""Tangent equations, evaluated as they are written, against central differences; twice, too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cellwise.autodiff.derivative import Derivative
from cellwise.autodiff.forward import tangent
from cellwise.autodiff.reverse import backward
from cellwise.equation import read_system
from cellwise.graph.system import System
from cellwise.graph.verify import verify
from tests.evaluate import Array, Feed, evaluate
from tests.gradients import STEP, central, moved, places, sweep_back, tangent_feed
from tests.samples import SAMPLES, cotangents, feed_of, loss
from tests.tolerances import TOLERANCE

DIFFERENCE = TOLERANCE[torch.float64]["difference"]


def direction(feed: Feed, seed: int) -> dict[str, Array]:
    rng = np.random.default_rng([seed, 2])
    return {name: rng.normal(size=array.shape) for name, array in places(feed).items()}


def push(system: System, derived: Derivative, feed: Feed, by: dict[str, Array]) -> dict[str, Array]:
    forward = evaluate(system, feed)
    trace = evaluate(derived.system, tangent_feed(system, derived, feed, forward, by))
    return {name: trace.signals[derived.names[name]] for name in system.defined}


@pytest.mark.parametrize("name", SAMPLES)
def test_agrees_with_central_differences(name):
    system = read_system(SAMPLES[name])
    feed = feed_of(system, seed=5, steps=3)
    by = direction(feed, 5)
    derived = tangent(system)
    verify(derived.system)
    found = push(system, derived, feed, by)
    above, below = (evaluate(system, moved(feed, by, s * STEP)).signals for s in (1, -1))
    for signal, value in found.items():
        expected = (above[signal] - below[signal]) / (2 * STEP)
        np.testing.assert_allclose(value, expected, **DIFFERENCE, err_msg=signal)


def with_tangents(system: System) -> System:
    """One system that holds a cell and its tangent equations."""
    derived = tangent(system).system
    return replace(
        derived,
        equations=system.equations + derived.equations,
        initial=system.initial + derived.initial,
        given=(),
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_the_tangent_of_the_tangent_agrees_with_central_differences(name):
    both = with_tangents(read_system(SAMPLES[name]))
    feed = feed_of(both, seed=6, steps=2)
    by = direction(feed, 6)
    found = push(both, tangent(both), feed, by)
    above, below = (evaluate(both, moved(feed, by, s * STEP)).signals for s in (1, -1))
    for signal, value in found.items():
        expected = (above[signal] - below[signal]) / (2 * STEP)
        np.testing.assert_allclose(value, expected, **DIFFERENCE, err_msg=signal)


@pytest.mark.parametrize("name", ["gru", "lstm", "norm and softmax", "bilinear", "tied weights"])
def test_the_backward_of_the_tangent_agrees_with_central_differences(name):
    both = with_tangents(read_system(SAMPLES[name]))
    feed = feed_of(both, seed=6, steps=2)
    weights, edges = cotangents(both, feed, 6)
    found = sweep_back(both, backward(both), feed, weights, edges)
    expected = central(lambda moved: loss(both, moved, weights, edges), feed)
    for key, gradient in expected.items():
        np.testing.assert_allclose(found[key], gradient, **DIFFERENCE, err_msg=key)


def test_names_say_what_is_a_tangent():
    derived = tangent(read_system("h[t] = tanh(W @ h[t-1] + x[t])\nh[0] = h_0"))
    assert derived.names == {"x": "x_dot", "h": "h_dot", "W": "W_dot", "h_0": "h_0_dot"}
    assert derived.system.output == "h_dot"
    assert derived.system.given == ("h",)
    assert dict(derived.system.initial)["h_dot"].attributes[0] == "h_0_dot"


def test_what_does_not_move_has_the_tangent_zero():
    system = read_system("d[t] = step(x[t])\nh[t] = h[t-1] * d[t]")
    feed = feed_of(system, seed=1, steps=2)
    assert not push(system, tangent(system), feed, direction(feed, 1))["d"].any()


def test_trees_and_sums_over_steps_have_tangents():
    tree = tangent(read_system("h[n] = tanh(W @ sum(h[k] for k in n) + U @ x[n])")).system
    assert tree.structure == "tree"
    assert tree.inputs == ("x_dot",)
    sums = tangent(read_system("h[t] = h[t-1] * x[t]\nall_h = sum(h[t] * h[t] for t)")).system
    assert [line.name for line in sums.totals] == ["all_h_dot"]
