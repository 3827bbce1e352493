"""Layers, streams to feed them, and what must hold of their steppers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import cellwise as cw
from cellwise.layers.stepper import Stepper
from tests.tolerances import TOLERANCE, Bounds

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
    """The steps from the beginning equal the layer's run; in compiled kernels bit for bit.

    The reference's products of one row are another function of the library than those of many.
    """
    exact = layer._directions[0].serving()[0] == "cpu"
    bounds: Bounds = {"rtol": 0, "atol": 0} if exact else TOLERANCE[x.dtype]["exact"]
    with torch.no_grad():
        y, state = layer(x)
    step.reset()
    torch.testing.assert_close(stepped(step, x), y, **bounds)
    torch.testing.assert_close(tuple(step.state), tuple(state), **bounds)
