"""`Recurrent.from_torch`: outputs, states and gradients of torch's own modules."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import cellwise as cw
from cellwise.layers.from_torch import translate
from tests.layers.test_recurrent import data
from tests.tolerances import TOLERANCE, Bounds

GRAD = TOLERANCE[torch.float64]["grad"]

MODULES = [
    nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    nn.LSTM(3, 4, proj_size=2, num_layers=2, bidirectional=True),
    nn.LSTM(3, 4, bias=False, batch_first=True),
    nn.GRU(3, 4, num_layers=2, bidirectional=True),
    nn.GRU(3, 4, bias=False),
    nn.RNN(3, 4, num_layers=2, bidirectional=True),
    nn.RNN(3, 4, nonlinearity="relu"),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("module", MODULES, ids=repr)
def test_from_torch_equals_torch(module: nn.LSTM | nn.GRU | nn.RNN, dtype: torch.dtype) -> None:
    module = copy.deepcopy(module).to(dtype)
    layer = cw.Recurrent.from_torch(module)
    tolerance: Bounds = {"rtol": 0.0, "atol": {torch.float32: 1e-6, torch.float64: 1e-12}[dtype]}
    x = data().to(dtype).requires_grad_()
    y, state = layer(x)
    y_torch, state_torch = module(x)
    torch.testing.assert_close(y, y_torch, **tolerance)
    last = state_torch if isinstance(state_torch, tuple) else (state_torch,)
    torch.testing.assert_close(tuple(state), last, **tolerance)
    weight = torch.randn_like(y)
    (grad,) = torch.autograd.grad((y * weight).mean(), x, retain_graph=True)
    (grad_torch,) = torch.autograd.grad((y_torch * weight).mean(), x, retain_graph=True)
    torch.testing.assert_close(grad, grad_torch, **tolerance)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("module", MODULES, ids=repr)
def test_from_torch_weight_gradients(module: nn.LSTM | nn.GRU | nn.RNN) -> None:
    """Each block of torch's gradient equals ours under the equation's name."""
    module = copy.deepcopy(module).double()
    layer = cw.Recurrent.from_torch(module)
    x = data()
    layer(x)[0].square().mean().backward()
    module(x)[0].square().mean().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            assert parameter.grad is not None
            parameter.copy_(parameter.grad)
    wanted = translate(module).weights
    for direction, weights in zip(layer._directions, wanted, strict=True):
        for name, value in weights.items():
            halved = name.startswith("b_") and name not in ("b_in", "b_hn") and module.bias
            grad = direction.weight(name).grad
            if module.bias or not name.startswith("b_"):
                torch.testing.assert_close(grad, value / 2 if halved else value, **GRAD)


def test_from_torch_refuses_other_modules() -> None:
    with pytest.raises(cw.ConfigError, match=r"takes a torch\.nn\.LSTM, GRU or RNN, not a Linear"):
        cw.Recurrent.from_torch(nn.Linear(1, 1))  # type: ignore[arg-type]
