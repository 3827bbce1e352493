"""The order in which a structure's rows are computed, as whole numbers.

The rows of a batch are stored level by level: level 0 holds the first step of every sequence, level
1 the second step of those that have one, and so on. Sequences are sorted by falling length, so that
the sequence in place j of a level is in place j of every level before it, and padding has no row at
all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Schedule:
    """The levels of a batch of chains; compared by identity, so that much can be kept of it.

    Attributes:
        sizes: the number of rows of each level, never rising.
        n_sequences: the number of sequences, those of length zero included.
    """

    sizes: tuple[int, ...]
    n_sequences: int

    @cached_property
    def n_rows(self) -> int:
        """The number of live rows."""
        return sum(self.sizes)

    @cached_property
    def _offsets(self) -> tuple[int, ...]:
        return tuple(accumulate(self.sizes, initial=0))

    def shift(self, rows: Tensor, edge: Tensor, index: str) -> Tensor:
        """What rows read at `t-1` or `t+1`: `rows` [N, ·] of that level, `edge` [B, ·] beyond."""
        pieces = []
        for level, size in enumerate(self.sizes):
            other = level - 1 if index == "t-1" else level + 1
            inside = size if index == "t-1" and level else 0
            if index == "t+1" and other < len(self.sizes):
                inside = self.sizes[other]
            if inside:
                pieces.append(rows.narrow(0, self._offsets[other], inside))
            if size > inside:
                pieces.append(edge[inside:size])
        return torch.cat(pieces) if pieces else rows[:0]

    def last(self, rows: Tensor, edge: Tensor, *, reverse: bool) -> Tensor:
        """The row of each sequence where a sweep ends; `edge` [B, ·] where one is empty."""
        first = self.sizes[0] if self.sizes else 0
        if reverse:
            return torch.cat([rows[:first], edge[first:]])
        ends = [0] * first
        for offset, size in zip(self._offsets, self.sizes, strict=False):
            ends[:size] = range(offset, offset + size)
        index = torch.tensor(ends, dtype=torch.int64, device=rows.device)
        return torch.cat([rows.index_select(0, index), edge[first:]])


@lru_cache(maxsize=256)
def schedule_of(sizes: tuple[int, ...], n_sequences: int) -> Schedule:
    """The schedule of these levels; kept, because batches of one length come again and again."""
    return Schedule(tuple(size for size in sizes if size), n_sequences)


def levels(sizes: Sequence[int], n_sequences: int) -> Schedule:
    """The schedule of a sequence of level sizes."""
    return schedule_of(tuple(map(int, sizes)), n_sequences)
