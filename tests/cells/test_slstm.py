"""The stabiliser of sLSTM changes no output, and keeps the cell finite."""

from __future__ import annotations

import pytest
import torch

from cellwise.layers import Recurrent
from tests.cells.formulas.fold import run
from tests.cells.formulas.lstm import slstm_without_stabiliser
from tests.cells.test_formulas import drawn, named
from tests.tolerances import TOLERANCE


def test_equals_the_form_without_stabiliser():
    layer, x, _ = drawn("slstm")
    zeros = torch.zeros(3, 4, dtype=torch.float64)
    wanted, ends = run(slstm_without_stabiliser, x, dict.fromkeys("hcn", zeros), named(layer), "h")
    y, state = layer(x)
    torch.testing.assert_close(y, wanted, **TOLERANCE[torch.float64]["exact"])
    factor = state.m[0].exp()
    torch.testing.assert_close(state.c[0] * factor, ends["c"], **TOLERANCE[torch.float64]["exact"])


@pytest.mark.parametrize("gate", ["b_i", "b_f"])
@pytest.mark.parametrize("size", [-1e4, -100.0, 100.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_is_finite_at_large_gate_inputs(gate: str, size: float, dtype: torch.dtype):
    torch.manual_seed(0)
    layer = Recurrent("slstm", 2, 4, dtype=dtype)
    layer.load_state_dict({**layer.state_dict(), f"layer0.{gate}": torch.full((4,), size)})
    x = torch.randn(6, 3, 2, dtype=dtype, requires_grad=True)
    y, state = layer(x)
    gradients = torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])
    assert all(value.isfinite().all() for value in [y, *state, *gradients])
    assert y.abs().max() <= 1


def test_a_gate_that_opens_late_still_counts():
    """The first input gates underflow; the one at the last step is all that the cell then holds."""
    torch.manual_seed(0)
    layer = Recurrent("slstm", 1, 4, dtype=torch.float32)
    state = layer.state_dict()
    state |= {f"layer0.W_{g}": torch.zeros(4, 4) for g in "zofi"}
    state |= {"layer0.U_i": torch.full((4, 1), 200.0)}
    layer.load_state_dict(state)
    x = torch.tensor([-1.0, -1.0, 1.0]).reshape(3, 1, 1)
    y, _ = layer(x)
    z = torch.tanh(state["layer0.U_z"][:, 0] + state["layer0.b_z"])
    o = torch.sigmoid(state["layer0.U_o"][:, 0] + state["layer0.b_o"])
    torch.testing.assert_close(y[2, 0], o * z, **TOLERANCE[torch.float32]["exact"])
