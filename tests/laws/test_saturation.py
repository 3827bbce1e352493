"""Compiled layers where functions saturate, overflow, or meet what is no number."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import cellwise as cw
from cellwise import cells
from tests.laws.networks import gradients, mixture
from tests.tolerances import TOLERANCE

CURVES = (
    "h[t] = relu(U @ x[t] + W @ h[t-1])",
    "h[t] = exp(0.5 * x[t]) * 0.5 + 0.5 * h[t-1]",
    "h[t] = softmax(x[t] + h[t-1])",
    "h[t] = max(x[t], h[t-1]) - min(x[t], 0 * h[t-1])",
    "h[t] = 0.5 * h[t-1] + softplus(x[t]) * sign(x[t])",
    "h[t] = 0.5 * h[t-1] + silu(x[t]) - gelu(x[t])",
    "h[t] = hard_sigmoid(x[t]) * h[t-1] + hard_tanh(x[t])",
    "h[t] = 0.5 * h[t-1] + (max(x[t]) - sum(x[t])) * x[t]",
    "h[t] = 0.5 * h[t-1] + x[t] ** 2",
    "h[t] = erf(x[t]) + sigmoid(x[t]) * h[t-1]",
)
SPOILT = 1
"""Which sequence holds what is no number."""


def results(layer: cw.Recurrent, x: Tensor) -> list[Tensor]:
    """y, the last states and d_x: the sequences in the last dimension but one."""
    x = x.clone().requires_grad_()
    y, state = layer(x)
    outputs = [y, *state]
    (d_x,) = gradients(outputs, mixture(outputs), [x])
    return [*(o.detach() for o in outputs), d_x]


def both(cell: str, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """What a compiled layer and the reference make of an input, with the same weights."""
    torch.manual_seed(0)
    layer, twin = (
        cw.Recurrent(cell, x.shape[-1], x.shape[-1], backend=backend, dtype=x.dtype)
        for backend in ("cpu", "reference")
    )
    twin.load_state_dict(layer.state_dict())
    return results(layer, x), results(twin, x)


def draw(dtype: torch.dtype) -> Tensor:
    return torch.randn(6, 4, 11, dtype=dtype, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("cell", [*cells.names("chain"), *CURVES])
def test_large_inputs_agree_with_the_reference(cell: str, dtype: torch.dtype) -> None:
    for magnitude in (50.0, 1e4):
        found, wanted = both(cell, draw(dtype).sign() * magnitude)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, equal_nan=True, **TOLERANCE[dtype]["grad"])


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan], ids=str)
@pytest.mark.parametrize("cell", [*cells.names("chain"), *CURVES])
def test_what_is_no_number_is_where_the_reference_has_it(cell: str, bad: float) -> None:
    x = draw(torch.float32)
    x[2, SPOILT, 3] = bad
    found, wanted = both(cell, x)
    for one, other in zip(found, wanted, strict=True):
        bounds = TOLERANCE[torch.float32]["grad"]
        torch.testing.assert_close(one, other, equal_nan=True, **bounds)
        rest = [place for place in range(4) if place != SPOILT]
        assert torch.isfinite(one[..., rest, :]).all()
