"""Weights of torch.nn.LSTM, GRU and RNN as weights of cells.

torch stacks the gates of a layer in one matrix; the tables below say in which order, and under
which name of our equations each block goes. Where torch adds two biases, ours is their sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from cellwise.cell import Cell
from cellwise.cells import get
from cellwise.errors import ConfigError


@dataclass(frozen=True)
class Layout:
    """How a torch module's blocks go with a cell: the gates in torch's order, and the biases apart.

    `apart` names, for a gate, the two biases that must not be added: inside and outside of a
    product.
    """

    gates: tuple[str, ...]
    apart: tuple[tuple[str, tuple[str, str]], ...] = ()


_RNN = Layout(("h",))
_LSTM = Layout(("i", "f", "g", "o"))
_GRU = Layout(("r", "z", "n"), (("n", ("b_in", "b_hn")),))


def _relu(cell: Cell) -> Cell:
    return Cell(str(cell).replace("tanh(", "relu("), name=f"{cell.name}_relu")


def _matched(module: nn.LSTM | nn.GRU | nn.RNN) -> tuple[Cell, Layout]:
    """The cell that computes what a torch module does, and the layout of its weights."""
    if isinstance(module, nn.LSTM):
        return get("lstm_projected" if module.proj_size else "lstm"), _LSTM
    if isinstance(module, nn.GRU):
        return get("gru_v3"), _GRU
    if isinstance(module, nn.RNN):
        elman = get("elman")
        return (_relu(elman) if module.nonlinearity == "relu" else elman), _RNN
    raise ConfigError(
        f"from_torch takes a torch.nn.LSTM, GRU or RNN, not a {type(module).__name__}"
    )


@dataclass(frozen=True)
class Translation:
    """A torch module in our terms: cell, a layer's arguments, weights of each direction."""

    cell: Cell
    input_size: int
    hidden_size: int
    options: dict[str, Any]
    weights: list[dict[str, Tensor]]


def translate(module: nn.LSTM | nn.GRU | nn.RNN) -> Translation:
    """Read a torch module.

    Raises:
        ConfigError: the module is none of the three.
    """
    cell, layout = _matched(module)
    ways = ("", "_reverse") if module.bidirectional else ("",)
    suffixes = [f"_l{k}{way}" for k in range(module.num_layers) for way in ways]
    names = ("num_layers", "bidirectional", "dropout", "batch_first")
    options: dict[str, Any] = {name: getattr(module, name) for name in names}
    first = next(module.parameters())
    options.update(device=first.device, dtype=first.dtype)
    if module.proj_size:
        options["sizes"] = {"c": module.hidden_size}
    return Translation(
        cell,
        module.input_size,
        module.proj_size or module.hidden_size,
        options,
        [dict(_blocks(module, suffix, layout)) for suffix in suffixes],
    )


def _blocks(module: nn.Module, suffix: str, layout: Layout) -> Iterator[tuple[str, Tensor]]:
    """Each of our parameters of one direction, with torch's values."""
    weights = dict(module.named_parameters())
    n_gates = len(layout.gates)
    inputs = weights[f"weight_ih{suffix}"].chunk(n_gates)
    states = weights[f"weight_hh{suffix}"].chunk(n_gates)
    zero = inputs[0].new_zeros(inputs[0].shape[0])
    inside, outside = (
        weights[f"bias_{kind}{suffix}"].chunk(n_gates)
        if f"bias_{kind}{suffix}" in weights
        else (zero,) * n_gates
        for kind in ("ih", "hh")
    )
    apart = dict(layout.apart)
    for at, gate in enumerate(layout.gates):
        yield f"U_{gate}", inputs[at]
        yield f"W_{gate}", states[at]
        if gate in apart:
            yield apart[gate][0], inside[at]
            yield apart[gate][1], outside[at]
        else:
            yield f"b_{gate}", inside[at] + outside[at]
    if f"weight_hr{suffix}" in weights:
        yield "W_p", weights[f"weight_hr{suffix}"]
