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
from torch import Tensor

from cellwise.errors import StructureError
from cellwise.structures.moves import moved, taken
from cellwise.structures.plain import is_eager


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
        live: bool [R], which rows are.
        rank: int64 [B], the place of each sequence, or None as `order`.
        source: int64 [R], the place of each row in a padded batch [T·B, ·], if it is known.
        where: int64 [T·B], the row of each place of a padded batch, R for padding; as `source`.
    """

    sizes: Tensor
    n_sequences: int
    n_rows: int
    order: Tensor | None
    even: bool
    offsets: Tensor
    level: Tensor
    place: Tensor
    live: Tensor
    rank: Tensor | None
    source: Tensor | None = None
    where: Tensor | None = None
    _mirror: Tensor | None = None

    def sorted(self, edges: Tensor) -> Tensor:
        """States [B, ·] from the sequences' own order into that of the places."""
        if self.order is None or self.rank is None:
            return edges
        return moved(edges, self.order, self.rank)

    def restored(self, edges: Tensor) -> Tensor:
        """States [B, ·] from the order of the places into the sequences' own."""
        if self.order is None or self.rank is None:
            return edges
        return moved(edges, self.rank, self.order)

    def reversed(self, rows: Tensor) -> Tensor:
        """The rows [R, ·] with every sequence in reverse, each within its own length."""
        if self.even:
            steps = rows.reshape(len(self.sizes), self.n_sequences, *rows.shape[1:])
            return steps.flip(0).reshape(rows.shape)
        if self._mirror is None and self.source is not None:
            with torch.inference_mode(mode=False):  # these levels are kept: see `known_levels`
                self._mirror = self._mirrored()
        elif self._mirror is None:
            self._mirror = self._mirrored()
        return moved(rows, self._mirror, self._mirror)

    def _mirrored(self) -> Tensor:
        """int64 [R], for each row the one that changes places with it."""
        places = torch.arange(self.n_sequences, device=self.sizes.device)
        lengths = (self.sizes[None, :] > places[:, None]).sum(1)
        level = (lengths[self.place] - 1 - self.level).clamp(min=0)
        rows_now = torch.arange(self.n_rows, device=self.sizes.device)
        return torch.where(self.live, self.offsets[level] + self.place, rows_now)


def even_levels(n_steps: int, n_sequences: int, device: torch.device) -> Levels:
    """The levels of sequences that all have `n_steps` steps."""
    if is_eager():
        return _kept_even_levels(n_steps, n_sequences, device)
    return _even_levels(n_steps, n_sequences, device)


@lru_cache(maxsize=64)
def _kept_even_levels(n_steps: int, n_sequences: int, device: torch.device) -> Levels:
    """The same as long as nobody changes them, which nobody does."""
    with torch.inference_mode(mode=False):
        return _even_levels(n_steps, n_sequences, device)


def _even_levels(n_steps: int, n_sequences: int, device: torch.device) -> Levels:
    sizes = torch.full((n_steps,), n_sequences, dtype=torch.int64)
    return levels_of(sizes.to(device), n_sequences, n_steps * n_sequences, even=True)


def levels_of(
    sizes: Tensor,
    n_sequences: int,
    n_rows: int,
    order: Tensor | None = None,
    *,
    even: bool = False,
) -> Levels:
    """Work out where the rows lie, by operations that `torch.compile` can trace."""
    steps = torch.arange(1, len(sizes) + 1, device=sizes.device)
    ends = steps * n_sequences if even else torch.cumsum(sizes, 0)
    rows = torch.arange(n_rows, device=sizes.device)
    offsets, live = ends - sizes, rows < sizes.sum()
    level = torch.searchsorted(ends, rows, right=True).clamp(max=max(len(sizes) - 1, 0))
    place = torch.where(live, rows - offsets[level], 0)
    rank = None if order is None else torch.argsort(order)
    return Levels(sizes, n_sequences, n_rows, order, even, offsets, level, place, live, rank)


def ragged_levels(lengths: Tensor, n_rows: int, n_steps: int) -> Levels:
    """The levels of sequences of these lengths, sorted by falling length."""
    order = torch.argsort(lengths, descending=True, stable=True)
    steps = torch.arange(n_steps, device=lengths.device)
    sizes = (lengths[:, None] > steps[None, :]).sum(0)
    return levels_of(sizes, lengths.shape[0], n_rows, order)


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
    known = lengths.tolist()
    if min(known) < 0 or max(known) > n_steps:
        at = next(at for at, length in enumerate(known) if not 0 <= length <= n_steps)
        raise StructureError(
            f"lengths[{at}] is {known[at]}, but must be from 0 to {n_steps}, the number of steps"
        )
    return lengths


def rows_of_padded(x: Tensor, levels: Levels) -> Tensor:
    """The rows [R, ·] of a padded batch [T, B, ·]."""
    flat = x.reshape(-1, *x.shape[2:])
    if levels.order is None:
        return flat
    if levels.source is not None and levels.where is not None:
        return moved(flat, levels.source, levels.where)
    return taken(flat, levels.level * levels.n_sequences + levels.order[levels.place])


def padded_of_rows(rows: Tensor, levels: Levels, lengths: Tensor | None, n_steps: int) -> Tensor:
    """The padded batch [T, B, ·] of rows [R, ·]; padding is zero."""
    n_sequences = levels.n_sequences
    if levels.rank is None or lengths is None:
        return rows.reshape(n_steps, n_sequences, *rows.shape[1:])
    if levels.source is not None and levels.where is not None:
        padded = moved(rows, levels.where, levels.source)
        return padded.reshape(n_steps, n_sequences, *rows.shape[1:])
    steps = torch.arange(n_steps, device=rows.device)
    live = steps[:, None] < lengths[None, :]
    nothing = rows.new_zeros(1, *rows.shape[1:])
    where = torch.where(live, levels.offsets[:, None] + levels.rank[None, :], len(rows))
    return taken(torch.cat([rows, nothing]), where)


def rows_of_jagged(values: Tensor, offsets: Tensor, levels: Levels) -> Tensor:
    """The rows [N, ·] of sequences that lie one after another in `values` [N, ·]."""
    order = levels.order if levels.order is not None else torch.arange(levels.n_sequences)
    return taken(values, offsets[order][levels.place] + levels.level)


def jagged_of_rows(rows: Tensor, offsets: Tensor, levels: Levels) -> Tensor:
    """The sequences one after another [N, ·] of rows [N, ·]."""
    order = levels.order if levels.order is not None else torch.arange(levels.n_sequences)
    source = offsets[order][levels.place] + levels.level
    return taken(rows, torch.argsort(source))
