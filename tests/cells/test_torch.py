"""Four cells of the zoo are torch's own, weight by weight."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cellwise.layers import Recurrent
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]


def _lines(module: nn.RNNBase, gates: str) -> dict[str, torch.Tensor]:
    """torch's stacked weights of one layer, cut into ours; both biases added."""
    weights = dict(module.named_parameters())
    found = {}
    kinds = {"U": "weight_ih_l0", "W": "weight_hh_l0"}
    for letter, name in kinds.items():
        for gate, block in zip(gates, weights[name].chunk(len(gates)), strict=True):
            found[f"{letter}_{gate}"] = block
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    for gate, block in zip(gates, bias.chunk(len(gates)), strict=True):
        found[f"b_{gate}"] = block
    if gates == "rzn":
        del found["b_n"]
        found["b_in"] = weights["bias_ih_l0"].chunk(3)[2]
        found["b_hn"] = weights["bias_hh_l0"].chunk(3)[2]
    if "weight_hr_l0" in weights:
        found["W_p"] = weights["weight_hr_l0"]
    return found


@pytest.mark.parametrize(
    ("name", "module", "gates"),
    [
        ("elman", nn.RNN(3, 4), "h"),
        ("lstm", nn.LSTM(3, 4), "ifgo"),
        ("gru_v3", nn.GRU(3, 4), "rzn"),
        ("lstm_projected", nn.LSTM(3, 6, proj_size=4), "ifgo"),
    ],
)
def test_equals_torch(name: str, module: nn.RNNBase, gates: str):
    torch.manual_seed(0)
    module = module.double()
    sizes = {"c": 6} if name == "lstm_projected" else None
    layer = Recurrent(name, 3, 4, sizes=sizes, dtype=torch.float64)
    layer.load_state_dict({f"layer0.{k}": v for k, v in _lines(module, gates).items()})
    x = torch.randn(7, 2, 3, dtype=torch.float64)
    y, state = layer(x)
    wanted, last = module(x)
    torch.testing.assert_close(y, wanted, **EXACT)
    for ours, theirs in zip(state, last if isinstance(last, tuple) else (last,), strict=True):
        torch.testing.assert_close(ours, theirs, **EXACT)
