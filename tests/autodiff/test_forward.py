"""Tangent equations, evaluated as they are written, against central differences; twice, too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cellwise.autodiff.derivative import Derivative
from cellwise.autodiff.forward import tangent
from cellwise.equation import read_system
from cellwise.graph.system import System
from cellwise.graph.verify import verify
from tests.evaluate import Array, Feed, evaluate
from tests.gradients import STEP, moved, places, tangent_feed
from tests.samples import SAMPLES, feed_of
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


SECOND = ["gru", "lstm", "norm and softmax", "scalar state", "powers", "bilinear"]


@pytest.mark.parametrize("name", SECOND)
def test_the_tangent_of_the_tangent_agrees_with_central_differences_of_the_tangent(name):
    system = read_system(SAMPLES[name])
    feed = feed_of(system, seed=6, steps=3)
    by, along = direction(feed, 6), direction(feed, 7)
    first = tangent(system)
    second = tangent(first.system)
    verify(second.system)

    # The second system moves what the first reads: the values along `along`, the direction not at all.
    forward = evaluate(system, feed)
    first_feed = tangent_feed(system, first, feed, forward, by)
    first_trace = evaluate(first.system, first_feed)
    moving = push(system, first, feed, along)
    values = {name: along.get(name, moving.get(name)) for name in first.system.given}
    signals = {**first_feed.signals, **first_trace.signals}
    dots = {second.names[n]: v for n, v in values.items() if v is not None}
    dots |= {second.names[n]: np.zeros(signals[n].shape) for n in first.system.inputs}
    parameters = dict(first_feed.parameters)
    for name, array in first_feed.parameters.items():
        parameters[second.names.get(name, name + "_dot")] = along.get(name, np.zeros(array.shape))
    edges = dict(first_feed.edges)
    for state, node in system.initial:
        edges[first.names[state]] = first_feed.parameters[first.names[str(node.attributes[0])]]
        edges[second.names.get(state, "-")] = along[str(node.attributes[0])]
    for state, array in first_feed.edges.items():
        if f"{state}[0]" in along and state in second.names:
            edges[second.names[state]] = along[f"{state}[0]"]
        elif state in second.names:
            edges.setdefault(second.names[state], np.zeros(array.shape))
    found = evaluate(
        second.system,
        Feed(3, {**signals, **dots}, edges, parameters, sizes=feed.sizes),
    ).signals

    above, below = (push(system, first, moved(feed, along, s * STEP), by) for s in (1, -1))
    for signal in system.defined:
        expected = (above[signal] - below[signal]) / (2 * STEP)
        got = found[second.names[first.names[signal]]]
        np.testing.assert_allclose(got, expected, **DIFFERENCE, err_msg=signal)


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
