"""Every cell over chains computes what its paper says, written once more in plain torch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cellwise import cells
from cellwise.layers import Recurrent
from tests.cells.formulas import FORMULAS, run
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
GRAD = TOLERANCE[torch.float64]["grad"]

SIZES = {"lstm_projected": {"c": 6}, "jordan": {"h": 6}, "scrn": {"h": 6, "s": 3}}
"""Cells with a free size are run with one that differs from hidden_size."""


def drawn(name: str) -> tuple[Recurrent, Tensor, list[Tensor]]:
    """A layer with random parameters, an input [5, 3, 2] and random states."""
    torch.manual_seed(len(name))
    layer = Recurrent(name, 2, 4, sizes=SIZES.get(name), dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    x = torch.randn(5, 3, 2, dtype=torch.float64)
    _, last = layer(x)
    return layer, x, [torch.rand_like(state) for state in last]


def named(layer: Recurrent) -> dict[str, Tensor]:
    return {name.removeprefix("layer0."): value for name, value in layer.named_parameters()}


def test_every_cell_has_a_formula():
    assert set(FORMULAS) == set(cells.names("chain"))


@pytest.mark.parametrize("name", cells.names("chain"))
def test_values_and_states(name: str):
    layer, x, states = drawn(name)
    y, last = layer(x, states)
    start = {state: s[0] for state, s in zip(layer.cell.states, states, strict=True)}
    wanted, ends = run(FORMULAS[name], x, start, named(layer), layer.cell.output)
    torch.testing.assert_close(y, wanted, **EXACT)
    for state, value in zip(layer.cell.states, last, strict=True):
        torch.testing.assert_close(value[0], ends[state], **EXACT)


@pytest.mark.parametrize("name", cells.names("chain"))
def test_gradients(name: str):
    layer, x, states = drawn(name)
    x.requires_grad_()
    start = {state: s[0] for state, s in zip(layer.cell.states, states, strict=True)}
    weights = [x, *layer.parameters()]
    ours = torch.autograd.grad(layer(x, states)[0].square().sum(), weights)
    y, _ = run(FORMULAS[name], x, start, named(layer), layer.cell.output)
    theirs = torch.autograd.grad(y.square().sum(), weights)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, **GRAD)
