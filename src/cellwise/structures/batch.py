"""Batches of sequences as rows: level by level, the longest sequence first, padding left out.

Whatever form a batch comes in (padded, packed, jagged), the layers work on rows [R, ·] in the order
that `backends.schedule` describes, and the result goes back into the form that came. All index
arithmetic has shapes that do not depend on the lengths, so that it can be traced by
`torch.compile`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from cellwise.errors import StructureError


@dataclass
class Levels:
    """How the rows of a batch lie.

    Attributes:
        sizes: int64 [T], how many sequences have a step t.
        n_sequences: B.
        n_rows: R, the rows that there is room for; the live ones come first.
        order: int64 [B], which sequence is in each place, or None if they lie in their own order.
        even: all sequences have the length T.
        offsets: int64 [T], the first row of each level.
        level: int64 [R], the level of each row.
        place: int64 [R], in which place of its level each row is; 0 beyond the live rows.
        rank: int64 [B], the place of each sequence, or None as `order`.
    """

    sizes: Tensor
    n_sequences: int
    n_rows: int
    order: Tensor | None = None
    even: bool = False

    def __post_init__(self) -> None:
        """Work out where the rows lie. Nothing here is lazy: `torch.compile` traces it as it is."""
        steps = torch.arange(1, len(self.sizes) + 1, device=self.sizes.device)
        ends = steps * self.n_sequences if self.even else torch.cumsum(self.sizes, 0)
        rows = torch.arange(self.n_rows, device=self.sizes.device)
        last = max(len(self.sizes) - 1, 0)
        self.offsets = ends - self.sizes
        self.level = torch.searchsorted(ends, rows, right=True).clamp(max=last)
        self.live = rows < self.sizes.sum()
        self.place = torch.where(self.live, rows - self.offsets[self.level], 0)
        self.rank = None if self.order is None else torch.argsort(self.order)
        self._mirror: Tensor | None = None

    def sorted(self, edges: Tensor) -> Tensor:
        """States [B, ·] from the sequences' own order into that of the places."""
        return edges if self.order is None else _taken(edges, self.order)

    def restored(self, edges: Tensor) -> Tensor:
        """States [B, ·] from the order of the places into the sequences' own."""
        return edges if self.rank is None else _taken(edges, self.rank)

    def reversed(self, rows: Tensor) -> Tensor:
        """The rows [R, ·] with every sequence in reverse, each within its own length."""
        if self.even:
            steps = rows.reshape(len(self.sizes), self.n_sequences, *rows.shape[1:])
            return steps.flip(0).reshape(rows.shape)
        if self._mirror is None:
            self._mirror = self._mirrored()
        return _taken(rows, self._mirror)

    def _mirrored(self) -> Tensor:
        """int64 [R], for each row the one that changes places with it."""
        places = torch.arange(self.n_sequences, device=self.sizes.device)
        lengths = (self.sizes[None, :] > places[:, None]).sum(1)
        level = (lengths[self.place] - 1 - self.level).clamp(min=0)
        rows_now = torch.arange(self.n_rows, device=self.sizes.device)
        return torch.where(self.live, self.offsets[level] + self.place, rows_now)


def even_levels(n_steps: int, n_sequences: int, device: torch.device) -> Levels:
    """The levels of sequences that all have `n_steps` steps."""
    if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack():
        return _even_levels(n_steps, n_sequences, device)
    return _kept_even_levels(n_steps, n_sequences, device)


@lru_cache(maxsize=64)
def _kept_even_levels(n_steps: int, n_sequences: int, device: torch.device) -> Levels:
    """The same as long as nobody changes them, which nobody does."""
    with torch.inference_mode(mode=False):
        return _even_levels(n_steps, n_sequences, device)


def _even_levels(n_steps: int, n_sequences: int, device: torch.device) -> Levels:
    sizes = torch.full((n_steps,), n_sequences, dtype=torch.int64)
    return Levels(sizes.to(device), n_sequences, n_steps * n_sequences, even=True)


def ragged_levels(lengths: Tensor, n_rows: int, n_steps: int) -> Levels:
    """The levels of sequences of these lengths, sorted by falling length."""
    order = torch.argsort(lengths, descending=True, stable=True)
    steps = torch.arange(n_steps, device=lengths.device)
    sizes = (lengths[:, None] > steps[None, :]).sum(0)
    return Levels(sizes, lengths.shape[0], n_rows, order)


def checked_lengths(lengths: Tensor, n_steps: int, n_sequences: int) -> Tensor:
    """The lengths as int64 [B].

    Raises:
        StructureError: not one whole number from 0 to T a sequence.
    """
    if lengths.dim() != 1 or lengths.shape[0] != n_sequences:
        raise StructureError(
            f"lengths must have one entry a sequence, that is shape [{n_sequences}], "
            f"but have shape {list(lengths.shape)}"
        )
    if lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise StructureError(f"lengths must be whole numbers, but are {lengths.dtype}")
    lengths = lengths.to(torch.int64)
    if torch.compiler.is_compiling() or not n_sequences:
        return lengths
    bad = ((lengths < 0) | (lengths > n_steps)).nonzero()
    if len(bad):
        at = int(bad[0])
        raise StructureError(
            f"lengths[{at}] is {int(lengths[at])}, but must be from 0 to {n_steps}, "
            "the number of steps"
        )
    return lengths


def rows_of_padded(x: Tensor, levels: Levels) -> Tensor:
    """The rows [R, ·] of a padded batch [T, B, ·]."""
    flat = x.reshape(-1, *x.shape[2:])
    if levels.order is None:
        return flat
    return _taken(flat, levels.level * levels.n_sequences + levels.order[levels.place])


def padded_of_rows(rows: Tensor, levels: Levels, lengths: Tensor | None, n_steps: int) -> Tensor:
    """The padded batch [T, B, ·] of rows [R, ·]; padding is zero."""
    n_sequences = levels.n_sequences
    if levels.rank is None or lengths is None:
        return rows.reshape(n_steps, n_sequences, *rows.shape[1:])
    steps = torch.arange(n_steps, device=rows.device)
    live = steps[:, None] < lengths[None, :]
    nothing = rows.new_zeros(1, *rows.shape[1:])
    where = torch.where(live, levels.offsets[:, None] + levels.rank[None, :], len(rows))
    return _taken(torch.cat([rows, nothing]), where)


def _taken(rows: Tensor, index: Tensor) -> Tensor:
    """rows[index], as a look-up in a table: torch sums the gradient of that row by row.

    The gradient of indexing is summed number by number, on one thread.
    """
    return nn.functional.embedding(index, rows) if rows.dim() == 2 else rows[index]


def rows_of_jagged(values: Tensor, offsets: Tensor, levels: Levels) -> Tensor:
    """The rows [N, ·] of sequences that lie one after another in `values` [N, ·]."""
    order = levels.order if levels.order is not None else torch.arange(levels.n_sequences)
    return _taken(values, offsets[order][levels.place] + levels.level)


def jagged_of_rows(rows: Tensor, offsets: Tensor, levels: Levels) -> Tensor:
    """The sequences one after another [N, ·] of rows [N, ·]."""
    order = levels.order if levels.order is not None else torch.arange(levels.n_sequences)
    source = offsets[order][levels.place] + levels.level
    return _taken(rows, torch.argsort(source))
