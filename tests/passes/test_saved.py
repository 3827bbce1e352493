"""What the forward keeps, and the backward that computes the rest again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given

from cellwise import cells
from cellwise.equation import read_system
from cellwise.graph.system import System
from cellwise.passes.pipeline import compile_system
from tests.laws.generate import chain_texts
from tests.passes.compiled import run
from tests.samples import cotangents, feed_of
from tests.tolerances import TOLERANCE

GRAD = TOLERANCE[torch.float64]["grad"]


def _assert_lean(system: System) -> None:
    fast = compile_system(system, verify=True)
    lean = compile_system(system, memory="lean", verify=True)
    assert set(lean.saved) <= set(fast.forward.system.states)
    feed = feed_of(system, 7, steps=3)
    weights, edges = cotangents(system, feed, 7)
    _, wanted = run(system, fast, feed, weights, edges)
    _, found = run(system, lean, feed, weights, edges)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, **GRAD, err_msg=name)


@pytest.mark.parametrize("name", cells.names("chain"))
def test_lean_keeps_states_alone_and_the_same_gradients(name) -> None:
    _assert_lean(replace(cells.get(name).system, initial=()))


@given(text=chain_texts())
def test_lean_keeps_the_gradients_of_random_cells(text: str) -> None:
    _assert_lean(replace(read_system(text), initial=()))


def test_what_is_kept_of_an_lstm() -> None:
    system = cells.get("lstm").system
    assert set(compile_system(system).saved) == {"i", "f", "o", "g", "c", "h"}
    assert set(compile_system(system, memory="lean").saved) == {"c", "h"}


def test_what_is_computed_again_has_no_name_of_the_backward() -> None:
    """The forward's `v_1` is not read by the backward, which made up a `v_1` of its own."""
    text = (
        "h[t] = tanh((W_2 @ (W_3 @ h[t-1])) + b_4)\n"
        "d_h[t] = W_8 @ hard_sigmoid(x[t] - (W_9 @ x[t] - (W_10 @ x[t] - x[t])))"
        " + W_11 @ (W_12 @ (W_13 @ x[t]))"
        " + W_14 @ part([x[t], x[t]] * sigmoid(W_15 @ x[t]), 0, x[t], x[t])"
    )
    system = read_system(text)
    _assert_lean(system)
    compiled = compile_system(system)
    made = {line.name for line in compiled.backward.system.equations}
    assert made.isdisjoint(compiled.forward.system.defined)
