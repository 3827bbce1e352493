"""Backward equations, evaluated as they are written, against central differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cellwise.autodiff.reverse import backward
from cellwise.equation import read_system, show
from cellwise.errors import StructureError
from cellwise.graph.system import System
from cellwise.graph.verify import verify
from cellwise.passes.share import share
from cellwise.passes.simplify import simplify
from tests.gradients import central, sweep_back
from tests.samples import SAMPLES, cotangents, feed_of, loss
from tests.tolerances import TOLERANCE

GRAD, DIFFERENCE = (TOLERANCE[torch.float64][kind] for kind in ("grad", "difference"))


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", SAMPLES)
def test_agrees_with_central_differences(name, steps):
    system = read_system(SAMPLES[name])
    feed = feed_of(system, seed=3, steps=steps)
    weights, edges = cotangents(system, feed, 3)
    derived = backward(system)
    verify(derived.system)
    found = sweep_back(system, derived, feed, weights, edges)
    expected = central(lambda moved: loss(system, moved, weights, edges), feed)
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        np.testing.assert_allclose(found[key], gradient, **DIFFERENCE, err_msg=key)


@pytest.mark.parametrize("name", SAMPLES)
def test_no_steps_give_no_gradient(name):
    system = read_system(SAMPLES[name])
    feed = feed_of(system, seed=3, steps=0)
    weights, edges = cotangents(system, feed, 3)
    found = sweep_back(system, backward(system), feed, weights, edges)
    learned = {str(node.attributes[0]): state for state, node in system.initial}
    for key, gradient in found.items():
        if key in learned:
            expected = sum(edges[s] for s, node in system.initial if node.attributes[0] == key)
            np.testing.assert_allclose(gradient, expected)
        elif key.endswith("[0]"):
            np.testing.assert_allclose(gradient, edges[key.removesuffix("[0]")])
        else:
            assert not gradient.any()


ELMAN = """
given h, x
d_h[t] = d_out_h[t] + d_prev_h[t+1]  # the state
d_pre_h[t] = d_h[t] * (1 - h[t] ** 2)
d_x[t] = U.T @ d_pre_h[t]
d_prev_h[t] = W.T @ d_pre_h[t]
d_U = sum(outer(d_pre_h[t], x[t]) for t)
d_W = sum(outer(d_pre_h[t], h[t-1]) for t)
d_b = sum(d_pre_h[t] for t)
d_h_0 = d_prev_h[1]
"""


def test_reads_as_in_a_lecture():
    text = "h[t] = tanh(U @ x[t] + W @ h[t-1] + b) # the state\nh[0] = h_0"
    derived = backward(read_system(text)).system
    lines = show(share(simplify(derived))).splitlines()
    notes = ("output", "same")
    assert [line for line in lines if not line.startswith(notes)] == ELMAN.strip().splitlines()


def test_names_do_not_collide_with_the_cells_own():
    system = read_system(SAMPLES["taken names"])
    derived = backward(system)
    assert derived.names["h"] == "d_h_"
    assert derived.out == "d_out_h_"
    assert derived.previous == {"h": "d_prev_h_"}
    assert not {*derived.names.values(), derived.out} & {*system.defined, *system.parameters}


def test_every_input_parameter_and_state_has_a_cotangent():
    system = read_system(SAMPLES["dead ends"])
    derived = backward(system)
    assert set(derived.names) == {*system.inputs, *system.defined, *system.parameters}
    defined = {line.name for line in derived.system.lines()}
    assert {*derived.names.values(), *derived.previous.values()} <= defined


def test_comments_and_places_stay_with_their_equations():
    text = "g[t] = sigmoid(x[t])  # the gate\nh[t] = g[t] * h[t-1]  # the state"
    lines = {line.name: line for line in backward(read_system(text)).system.equations}
    assert lines["d_g"].comment == "the gate"
    assert lines["d_h"].span is not None
    assert lines["d_h"].span.line == 2


def test_given_signals_have_cotangents_too():
    system = read_system("given e\nh[t] = tanh(W @ h[t-1] + e[t] * e[t-1])")
    derived = backward(system)
    verify(derived.system)
    assert derived.names["e"] == "d_e"
    assert derived.previous == {"h": "d_prev_h", "e": "d_prev_e"}


REFUSED = [
    ("h[n] = tanh(W @ sum(h[k] for k in n) + U @ x[n])", "the equations are over trees"),
    (
        "given h\nd[t] = h[t] * d[t+1] + x[t]",
        "the equations run from the last step to the first",
    ),
    (
        "h[t] = h[t-1] + x[t]\ntotal_h = sum(h[t] for t)",
        "the equations hold sums over all steps",
    ),
]


@pytest.mark.parametrize(("text", "cause"), REFUSED)
def test_what_has_no_backward_equations_is_refused(text, cause):
    with pytest.raises(StructureError) as caught:
        backward(read_system(text))
    assert str(caught.value) == (
        f"the backward equations are derived for chains of steps, but {cause}"
    )


def test_a_system_without_inputs_has_a_backward():
    system = read_system("h[t] = W @ h[t-1] + b")
    derived = backward(system).system
    verify(derived)
    assert isinstance(derived, System)
    assert derived.output == "d_prev_h"
