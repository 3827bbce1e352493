"""The forms that a batch of sequences can come in; what comes in goes out in kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from cellwise.errors import ShapeError, StructureError
from cellwise.structures.batch import (
    Levels,
    checked_lengths,
    even_levels,
    jagged_of_rows,
    levels_of,
    padded_of_rows,
    ragged_levels,
    rows_of_jagged,
    rows_of_padded,
)
from cellwise.structures.plain import is_eager
from cellwise.structures.ragged import known_levels, packed_levels

Sequences = Tensor | PackedSequence


class Form(Protocol):
    """A batch taken apart: its `rows` [R, ·] and `levels`, and the way back."""

    rows: Tensor
    levels: Levels
    unbatched: bool

    def restore(self, rows: Tensor) -> Sequences:
        """Rows [R, ·] in the form that the batch came in."""


@dataclass
class Padded:
    """[T, B, ·], [B, T, ·] or unbatched [T, ·]."""

    rows: Tensor
    levels: Levels
    lengths: Tensor | None
    n_steps: int
    batch_first: bool
    unbatched: bool

    def restore(self, rows: Tensor) -> Tensor:
        """The padded tensor; padding is zero."""
        y = padded_of_rows(rows, self.levels, self.lengths, self.n_steps)
        if self.unbatched:
            return y[:, 0]
        return y.transpose(0, 1) if self.batch_first else y


@dataclass
class Packed:
    """A PackedSequence: its data are rows already."""

    rows: Tensor
    levels: Levels
    source: PackedSequence
    unbatched: bool = False

    def restore(self, rows: Tensor) -> PackedSequence:
        """A PackedSequence of the same lengths and order."""
        given = self.source
        return PackedSequence(rows, given.batch_sizes, given.sorted_indices, given.unsorted_indices)


@dataclass
class Jagged:
    """A nested tensor of layout torch.jagged, [B, *, ·]."""

    rows: Tensor
    levels: Levels
    offsets: Tensor
    unbatched: bool = False

    def restore(self, rows: Tensor) -> Tensor:
        """A nested tensor with the same offsets."""
        values = jagged_of_rows(rows, self.offsets, self.levels)
        return torch.nested.nested_tensor_from_jagged(values, offsets=self.offsets)


def take_apart(x: Sequences, lengths: Tensor | None, *, input_size: int, batch_first: bool) -> Form:
    """The rows of a batch in whatever form it comes.

    Raises:
        ShapeError: the tensor's shape is none of the accepted ones.
        StructureError: lengths are given that are not whole numbers from 0 to T, one a sequence.
    """
    if isinstance(x, PackedSequence):
        _no_lengths(lengths, "a PackedSequence")
        _check_features(x.data, input_size, "PackedSequence data [N, I]", 2)
        return Packed(x.data, _packed_levels(x), x)
    if not isinstance(x, Tensor):
        raise ShapeError(f"x must be a tensor or a PackedSequence, but is a {type(x).__name__}")
    if x.layout not in (torch.strided, torch.jagged):
        raise ShapeError(f"x must be dense, but its layout is {x.layout}")
    if x.is_nested:
        _no_lengths(lengths, "a nested tensor")
        return _take_jagged(x, input_size)
    return _take_padded(x, lengths, input_size, batch_first=batch_first)


def _packed_levels(x: PackedSequence) -> Levels:
    sizes, order = x.batch_sizes, x.sorted_indices
    if is_eager() and x.data.is_cpu and (order is None or order.is_cpu):
        known = tuple(sizes.tolist())
        if sum(known) != len(x.data):
            raise StructureError(
                f"a PackedSequence has {len(x.data)} rows, but its batch_sizes {list(known)} "
                f"sum to {sum(known)}"
            )
        return packed_levels(known, None if order is None else tuple(order.tolist()))
    n_sequences = int(sizes[0]) if len(sizes) else 0
    return levels_of(sizes, n_sequences, len(x.data), order)


def _take_jagged(x: Tensor, input_size: int) -> Jagged:
    if x.layout != torch.jagged:
        raise StructureError("a nested tensor must have layout=torch.jagged")
    nested = cast(Any, x)
    if nested._ragged_idx != 1 or nested.lengths() is not None:
        raise StructureError(
            "a nested tensor must be ragged in its second dimension, [B, *, I], without holes: "
            "make it by torch.nested.nested_tensor(pieces, layout=torch.jagged)"
        )
    values, offsets = x.values(), nested.offsets()
    _check_features(values, input_size, "nested tensor values [N, I]", 2)
    lengths = offsets.diff()
    known = tuple(lengths.tolist()) if is_eager() and values.is_cpu else ()
    if known and sum(known) == len(values):
        levels = known_levels(known, max(known))
    else:
        levels = ragged_levels(lengths, len(values), int(lengths.max()) if len(lengths) else 0)
    return Jagged(rows_of_jagged(values, offsets, levels), levels, offsets)


def _take_padded(
    x: Tensor, lengths: Tensor | None, input_size: int, *, batch_first: bool
) -> Padded:
    wanted = "[B, T, I]" if batch_first else "[T, B, I]"
    if x.dim() not in (2, 3):
        raise ShapeError(
            f"x must be {wanted}, or [T, I] without a batch, but has shape {list(x.shape)}"
        )
    unbatched = x.dim() == 2
    _check_features(x, input_size, "[T, I]" if unbatched else wanted, x.dim())
    if unbatched:
        x = x.unsqueeze(1)
        lengths = None if lengths is None else _tensor_of(lengths).reshape(-1)
    elif batch_first:
        x = x.transpose(0, 1)
    n_steps, n_sequences = x.shape[0], x.shape[1]
    if lengths is not None:
        lengths = checked_lengths(_tensor_of(lengths).to(x.device), n_steps, n_sequences)
    levels = _levels(lengths, n_steps, n_sequences)
    return Padded(rows_of_padded(x, levels), levels, lengths, n_steps, batch_first, unbatched)


def _tensor_of(lengths: Any) -> Tensor:
    try:
        return torch.as_tensor(lengths)
    except (TypeError, ValueError, RuntimeError) as error:
        raise StructureError(f"lengths must be whole numbers, but are {lengths!r}") from error


def _levels(lengths: Tensor | None, n_steps: int, n_sequences: int) -> Levels:
    """The levels of a padded batch, with no room for padding unless the call is being traced.

    A trace serves other lengths too, so it has room for any.
    """
    room = n_steps * n_sequences
    if lengths is not None:
        if torch.compiler.is_compiling():
            return ragged_levels(lengths, room, n_steps)
        known = tuple(lengths.tolist())
        if sum(known) < room:
            if is_eager() and lengths.is_cpu:
                return known_levels(known, n_steps)
            return ragged_levels(lengths, sum(known), n_steps)
    return even_levels(n_steps, n_sequences, torch.device("cpu"))


def _no_lengths(lengths: Tensor | None, what: str) -> None:
    if lengths is not None:
        raise StructureError(f"{what} has its lengths in itself: leave lengths=None")


def _check_features(x: Tensor, input_size: int, wanted: str, rank: int) -> None:
    if x.dim() != rank or x.shape[-1] != input_size:
        raise ShapeError(f"x must be {wanted} with I = {input_size}, but has shape {list(x.shape)}")
