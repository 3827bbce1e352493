"""The module of torch.nn that a layer of ours competes with, from the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cellwise.layers import Recurrent

TorchModule = nn.LSTM | nn.GRU | nn.RNN


@dataclass(frozen=True)
class Twin:
    """Which module of torch.nn a cell goes with.

    Attributes:
        module: the class.
        gates: our letters of the gates, in torch's order.
        same: it computes the same; else it is the nearest that torch has.
    """

    module: type[TorchModule]
    gates: str
    same: bool = True


TWINS: Mapping[str, Twin] = {
    "lstm": Twin(nn.LSTM, "ifgo"),
    "gru": Twin(nn.GRU, "rzh", same=False),
    "gru_v3": Twin(nn.GRU, "rzn"),
    "elman": Twin(nn.RNN, "h"),
}
"""By the cell's name. torch's GRU resets after the product; `gru` before it."""


def torch_twin(layer: Recurrent) -> TorchModule | None:
    """The module of torch.nn with a layer's weights, or None where there is none for the cell.

    torch has two biases where we have one: the second ones are zeros.
    """
    twin = TWINS.get(layer.cell.name)
    if twin is None:
        return None
    module = twin.module(
        layer.input_size,
        layer.hidden_size,
        layer.num_layers,
        bidirectional=layer.bidirectional,
        dropout=layer.dropout,
        batch_first=layer.batch_first,
        dtype=next(layer.parameters()).dtype,
    )
    ways = ("", "_reverse") if layer.bidirectional else ("",)
    suffixes = [f"_l{k}{way}" for k in range(layer.num_layers) for way in ways]
    with torch.no_grad():
        for suffix, direction in zip(suffixes, layer._directions, strict=True):
            names = layer.cell.parameters
            own = {name: direction.weight(name) for name in names}
            for name, value in _stacked(own, twin.gates).items():
                getattr(module, f"{name}{suffix}").copy_(value)
    return module.train(layer.training)


def _stacked(weights: Mapping[str, Tensor], gates: str) -> dict[str, Tensor]:
    """torch's arrays of one direction."""
    first = weights[f"U_{gates[0]}"]
    zeros = first.new_zeros(first.shape[0])
    inner = [weights.get(f"b_{g}", weights.get(f"b_i{g}", zeros)) for g in gates]
    outer = [weights.get(f"b_h{g}", zeros) for g in gates]
    return {
        "weight_ih": torch.cat([weights[f"U_{g}"] for g in gates]),
        "weight_hh": torch.cat([weights[f"W_{g}"] for g in gates]),
        "bias_ih": torch.cat(inner),
        "bias_hh": torch.cat(outer),
    }
