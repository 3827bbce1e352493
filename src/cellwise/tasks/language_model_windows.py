"""Windows of a stream as batches, and what goes on from one batch to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from cellwise.data.batches import lengths_of, pad
from cellwise.data.text_stream import Window
from cellwise.data.vocabulary import END, PAD


@dataclass(frozen=True)
class WindowBatch:
    """Rows of symbols: what is read, and what is to be told, one symbol further.

    Shapes: symbols and right, int64 `[T, B]`; lengths `[B]`, None where all are T; starts and stops
    `[B]`, the places of the rows in their stream.
    """

    symbols: Tensor
    right: Tensor
    lengths: Tensor | None
    starts: Tensor
    stops: Tensor

    def to(self, device: torch.device) -> WindowBatch:
        """The same batch on a device; the places are for the CPU."""
        lengths = None if self.lengths is None else self.lengths.to(device)
        return WindowBatch(
            self.symbols.to(device), self.right.to(device), lengths, self.starts, self.stops
        )

    def real(self, rows: Tensor) -> Tensor:
        """Of a `[T, B, ·]` what is no padding, `[N, ·]`."""
        flat = rows.flatten(0, 1)
        if self.lengths is None:
            return flat
        steps = torch.arange(len(rows), device=rows.device)
        return flat[(steps[:, None] < self.lengths).flatten()]


def batch_of_windows(windows: Sequence[Window]) -> WindowBatch:
    """The batch of windows, each of a stream that holds the symbol before it, too.

    There may be none: one process of several, where a stream's last lanes are over.
    """
    starts = torch.tensor([window.start for window in windows], dtype=torch.int64)
    stops = torch.tensor([window.stop for window in windows], dtype=torch.int64)
    rows = [window.stream.numbers[window.start : window.stop + 1] for window in windows]
    if len({len(row) for row in rows}) == 1:
        whole = torch.from_numpy(np.stack(rows, axis=1).astype(np.int64))
        return WindowBatch(whole[:-1], whole[1:], None, starts, stops)
    whole = pad([row.tolist() for row in rows], PAD)
    return WindowBatch(whole[:-1], whole[1:], stops - starts, starts, stops)


def batch_of_lines(rows: Sequence[Sequence[int]]) -> WindowBatch:
    """The batch of lines, each told from its beginning: after the end of another one."""
    whole, lengths = pad([[END, *row] for row in rows], PAD), lengths_of(rows)
    return WindowBatch(whole[:-1], whole[1:], lengths, torch.zeros_like(lengths), lengths)


@dataclass
class Carried:
    """The states after a batch, each `[layers, B, ·]`, and where its rows stopped, `[B]`."""

    stops: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    state: tuple[Tensor, ...] = ()

    def before(self, batch: WindowBatch) -> list[Tensor] | None:
        """The states to go on from; None unless every row starts where it stopped.

        Later rows may be gone: lanes of a stream end one after the other.
        """
        n_rows = len(batch.starts)
        if not self.state or not torch.equal(self.stops[:n_rows], batch.starts):
            return None
        return [part[:, :n_rows] for part in self.state]

    def keep(self, batch: WindowBatch, state: Sequence[Tensor]) -> None:
        """Remember the states after a batch; gradients end here."""
        self.stops, self.state = batch.stops, tuple(part.detach() for part in state)

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name, for a checkpoint; nothing before the first batch."""
        if not self.state:
            return {}
        return {"stops": self.stops} | {f"state{i}": part for i, part in enumerate(self.state)}

    @staticmethod
    def of(tensors: Mapping[str, Tensor]) -> Carried:
        """What `tensors` gave."""
        if not tensors:
            return Carried()
        state = tuple(tensors[f"state{i}"] for i in range(len(tensors) - 1))
        return Carried(tensors["stops"].cpu(), state)
