"""What is measured: a cell at a size, with data drawn from fixed seeds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from cellwise.backends.cpu.target import Precision
from cellwise.layers import Recurrent

Mode = Literal["forward", "both"]
"""The forward without gradients, or the forward and the backward."""

SHORTEST = 5
"""The least length of a ragged batch."""

DTYPES: dict[Precision, torch.dtype] = {"f32": torch.float32, "f64": torch.float64}


@dataclass(frozen=True)
class Workload:
    """One point of the grid; input and output have the same size.

    Attributes:
        cell: the name that tables show.
        equations: the cell's text; empty for one of the zoo.
        batch_size: B.
        hidden_size: H, and I.
        n_steps: T.
        mode: "forward" (without gradients) or "both".
        threads: how many compute.
        ragged: lengths are uniform over 5 … T, else all T.
        bidirectional: both directions.
        precision: "f32" or "f64".
        backend: what our layer is asked to take.
    """

    cell: str
    equations: str = ""
    batch_size: int = 32
    hidden_size: int = 128
    n_steps: int = 100
    mode: Mode = "both"
    threads: int = 1
    ragged: bool = False
    bidirectional: bool = False
    precision: Precision = "f32"
    backend: str = "auto"

    @property
    def dtype(self) -> torch.dtype:
        """Of all tensors."""
        return DTYPES[self.precision]

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """The length of each sequence, falling."""
        if not self.ragged:
            return (self.n_steps,) * self.batch_size
        generator = torch.Generator().manual_seed(1)
        least = min(SHORTEST, self.n_steps)
        drawn = torch.randint(least, self.n_steps + 1, (self.batch_size,), generator=generator)
        return tuple(sorted(drawn.tolist(), reverse=True))

    @property
    def n_rows(self) -> int:
        """The live steps of all sequences together."""
        return sum(self.lengths)

    @property
    def fill(self) -> float:
        """The share of the padded batch that is live."""
        return self.n_rows / (self.batch_size * self.n_steps)

    @property
    def width(self) -> int:
        """The features of the output: H, or 2 H in both directions."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    def layer(self) -> Recurrent:
        """Our layer, with the same parameters in every process."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            return Recurrent(
                self.equations or self.cell,
                self.hidden_size,
                self.hidden_size,
                bidirectional=self.bidirectional,
                backend=self.backend,  # type: ignore[arg-type]  # judged by Recurrent
                dtype=self.dtype,
            )

    def padded(self) -> Tensor:
        """The inputs [T, B, I]."""
        generator = torch.Generator().manual_seed(3)
        shape = (self.n_steps, self.batch_size, self.hidden_size)
        return torch.randn(shape, generator=generator, dtype=self.dtype)

    def packed(self) -> PackedSequence:
        """The inputs of a ragged batch, its padding left out."""
        return pack_padded_sequence(self.padded(), torch.tensor(self.lengths))

    def mask(self) -> Tensor:
        """What is live: bool [T, B, 1]."""
        steps = torch.arange(self.n_steps)[:, None, None]
        return steps < torch.tensor(self.lengths)[None, :, None]


def cotangent(y: Tensor) -> Tensor:
    """What a loss would send back to an output."""
    generator = torch.Generator().manual_seed(4)
    return torch.randn(y.shape, generator=generator, dtype=y.dtype)
