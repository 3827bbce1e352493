"""Random networks for laws about structures: a layer in float64 and a ragged batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from cellwise.cell import Cell
from cellwise.errors import ShapeError
from cellwise.layers import Recurrent
from tests.laws.generate import chain_texts


@dataclass(frozen=True)
class Network:
    """A cell with numbers: prints so that it can be pasted into a test.

    `lengths` are those of the sequences of a batch; all data is drawn from `seed`.
    """

    text: str
    sizes: tuple[int, int]
    lengths: tuple[int, ...]
    seed: int
    num_layers: int = 1

    def __repr__(self) -> str:
        numbers = f"{self.sizes}, {self.lengths}, {self.seed}, {self.num_layers}"
        return f'Network("""\n{self.text}\n""", {numbers})'

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    @cached_property
    def cell(self) -> Cell:
        """The cell of the text."""
        return Cell(self.text)

    @property
    def dimensions(self) -> tuple[int, int]:
        """I and H: as drawn where the equations leave them free; equal for several layers."""
        system = self.cell.system
        shape_in, shape_out = (system.shape_of(n) for n in (system.inputs[0], system.output))
        n_in, n_out = self.sizes[0], self.sizes[1] if shape_out else 1
        return (n_out, n_out) if shape_in == shape_out or self.num_layers > 1 else (n_in, n_out)

    def layer(self, *, bidirectional: bool = False, batch_first: bool = False) -> Recurrent:
        """A layer whose parameters, learned initial states too, are all random."""
        layer = Recurrent(
            self.cell,
            *self.dimensions,
            num_layers=self.num_layers,
            bidirectional=bidirectional,
            batch_first=batch_first,
            dtype=torch.float64,
        )
        generator = torch.Generator().manual_seed(self.seed)
        with torch.no_grad():
            for weight in layer.parameters():
                fan = max(weight.shape[1:].numel(), 1)
                weight.copy_(torch.randn(weight.shape, generator=generator) / fan**0.5)
        return layer

    def batch(self, *, padding: float = 0.0, longer: int = 0) -> tuple[Tensor, Tensor]:
        """x [T, B, I] and lengths [B]; `padding` beyond them, `longer` steps of it at the end."""
        generator = torch.Generator().manual_seed(self.seed + 1)
        n_steps, n_sequences = max(self.lengths, default=0), len(self.lengths)
        shape = (n_steps + longer, n_sequences, self.dimensions[0])
        x = torch.full(shape, padding, dtype=torch.float64)
        for place, length in enumerate(self.lengths):
            data = torch.randn(length, x.shape[-1], generator=generator, dtype=torch.float64)
            x[:length, place] = data
        return x, torch.tensor(self.lengths, dtype=torch.int64)

    def state(self, layer: Recurrent) -> tuple[Tensor, ...]:
        """A random state for every layer and sequence."""
        generator = torch.Generator().manual_seed(self.seed + 2)
        zeros = layer(torch.zeros(1, len(self.lengths), layer.input_size).double())[1]
        draw = torch.randn
        return tuple(draw(s.shape, generator=generator, dtype=torch.float64) for s in zeros)


@st.composite
def networks(draw: DrawFn, most_layers: int = 1, fewest_sequences: int = 1) -> Network:
    """Random cells of one input with sizes and a ragged batch, empty sequences among them."""
    network = Network(
        draw(chain_texts(depth=2, most_inputs=1)),
        (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        tuple(draw(st.lists(st.integers(0, 4), min_size=fewest_sequences, max_size=4))),
        draw(st.integers(0, 9999)),
        draw(st.integers(1, most_layers)),
    )
    return network if _stacks(network) else replace(network, num_layers=1)


def _stacks(network: Network) -> bool:
    """Whether the layers can be stacked: not if a state is as long as the input, and it changes."""
    try:
        network.layer()
    except ShapeError:
        return False
    return True


def mixture(parts: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
    """Random cotangents of the parts."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parts]


def gradients(
    parts: Sequence[Tensor], cotangents: Sequence[Tensor], wanted: Sequence[Tensor]
) -> list[Tensor]:
    """What the cotangents of the parts send back to `wanted`; zeros where nothing."""
    pairs = [(p, c) for p, c in zip(parts, cotangents, strict=True) if p.requires_grad]
    if not pairs:
        return [torch.zeros_like(tensor) for tensor in wanted]
    outputs, mixed = zip(*pairs, strict=True)
    found = torch.autograd.grad(outputs, wanted, mixed, allow_unused=True)
    return [
        torch.zeros_like(tensor) if grad is None else grad
        for grad, tensor in zip(found, wanted, strict=True)
    ]
