"""Rows that change places, and their gradients under everything that torch does with them."""

from __future__ import annotations

import torch
from torch import Tensor

from cellwise.structures.moves import moved, taken

FORTH, BACK = torch.tensor([2, 0, 3, 3, 1]), torch.tensor([1, 4, 0])
"""Three rows into five places, two of them zeros; and the way back."""


def by_look_up(rows: Tensor) -> Tensor:
    """The same, summed by torch."""
    return taken(torch.cat([rows, rows.new_zeros(1, 2)]), FORTH)


def ours(rows: Tensor) -> Tensor:
    """Three rows in five places."""
    return moved(rows, FORTH, BACK)


ROWS = torch.tensor([[1.0, -0.0], [3.0, 4.0], [5.0, 6.0]])


def test_rows_move_and_what_is_beyond_is_zero() -> None:
    there = ours(ROWS)
    assert torch.equal(there, by_look_up(ROWS))
    assert there.signbit().tolist() == by_look_up(ROWS).signbit().tolist()
    assert torch.equal(moved(there, BACK, FORTH), ROWS)


def test_gradients_of_every_order() -> None:
    double = ROWS.double().requires_grad_()
    assert torch.autograd.gradcheck(ours, double)
    assert torch.autograd.gradgradcheck(lambda x: ours(x).sin(), double)


def test_a_batch_of_cotangents() -> None:
    cotangents = torch.arange(20.0).reshape(2, 5, 2)
    found: list[Tensor] = []
    for function in (ours, by_look_up):
        x = ROWS.clone().requires_grad_()
        found += torch.autograd.grad(function(x), x, cotangents, is_grads_batched=True)
    assert torch.equal(*found)


def test_transforms() -> None:
    stack = torch.stack([ROWS, ROWS + 1])
    assert torch.equal(torch.vmap(ours)(stack), torch.vmap(by_look_up)(stack))
    dotted = [torch.func.jvp(f, (ROWS,), (ROWS + 2,))[1] for f in (ours, by_look_up)]
    assert torch.equal(*dotted)
    jacobians = [torch.func.jacrev(f)(ROWS) for f in (ours, by_look_up)]
    assert torch.equal(*jacobians)
