"""Layers, streams to feed them, and what must hold of their steppers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import cellwise as cw
from cellwise.layers.stepper import Stepper
from tests.tolerances import TOLERANCE

N_STEPS = 4


def make(cell: str = "lstm", size: int = 5, **options: Any) -> Any:
    """A layer, untyped, since no type checker knows its parts."""
    torch.manual_seed(1)
    return cw.Recurrent(cell, size, size, **options)


def data(layer: cw.Recurrent, batch_size: int | None = None) -> Tensor:
    """[T, I] or [T, B, I]."""
    torch.manual_seed(2)
    weight = next(layer.parameters(), torch.empty(0))
    shape = [N_STEPS, layer.input_size] if batch_size is None else [N_STEPS, batch_size, -1]
    return torch.randn([layer.input_size if n < 0 else n for n in shape]).to(weight.dtype)


def stepped(step: Stepper, x: Tensor) -> Tensor:
    return torch.stack([step(x_t) for x_t in x])


def assert_equal(step: Stepper, layer: cw.Recurrent, x: Tensor) -> None:
    """The steps from the beginning equal the layer's run, bit for bit.

    The reference's products of one row are another function of torch's library than those of many,
    and may differ in the last bit: there the bits are those of the layer, run step by step.
    """
    whole, state = run(layer, x)
    y = whole
    if layer._directions[0].serving()[0] == "reference":
        state, pieces = None, []
        for x_t in x:
            piece, state = run(layer, x_t[None], state)
            pieces.append(piece)
        y = torch.cat(pieces)
        torch.testing.assert_close(y, whole, **TOLERANCE[x.dtype]["exact"])
    step.reset()
    torch.testing.assert_close(stepped(step, x), y, rtol=0, atol=0)
    torch.testing.assert_close(tuple(step.state), tuple(state), rtol=0, atol=0)


def run(layer: cw.Recurrent, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
    with torch.no_grad():
        y, last = layer(x, state)
    assert isinstance(y, Tensor)
    return y, last
