"""The levels of a ragged batch whose lengths are known: a few operations of numpy, and kept.

`batch.ragged_levels` and `batch.levels_of` do the same with operations of torch, which a trace can
follow, and which take longer than the fold of a small batch. They are kept because layers on top of
each other see the same batch; nobody changes them. There are no rows but the live ones.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cellwise.errors import StructureError
from cellwise.structures.batch import Levels

Integers = npt.NDArray[np.int64]


@lru_cache(maxsize=4)
def known_levels(lengths: tuple[int, ...], n_steps: int) -> Levels:
    """The levels of sequences of these lengths, sorted by falling length."""
    counts = np.array(lengths, dtype=np.int64)
    ended = np.cumsum(np.bincount(counts, minlength=n_steps + 1))
    sizes = len(lengths) - ended[:n_steps]
    return _levels(sizes, len(lengths), np.argsort(-counts, kind="stable"))


@lru_cache(maxsize=4)
def packed_levels(sizes: tuple[int, ...], order: tuple[int, ...] | None) -> Levels:
    """The levels of a PackedSequence: how many sequences have each step, and which is where.

    Raises:
        StructureError: more sequences have a step than had the one before, or none has it.
    """
    if any(less < more for less, more in pairwise(sizes)) or min(sizes, default=1) < 1:
        raise StructureError(
            f"a PackedSequence's batch_sizes never rise, and are 1 at least, but are {list(sizes)}"
        )
    places = None if order is None else np.array(order, dtype=np.int64)
    return _levels(np.array(sizes, dtype=np.int64), sizes[0] if sizes else 0, places)


def _levels(sizes: Integers, n_sequences: int, order: Integers | None) -> Levels:
    n_steps, offsets = len(sizes), np.cumsum(sizes) - sizes
    level = np.repeat(np.arange(n_steps), sizes)
    rows = np.arange(len(level))
    place = rows - offsets[level]
    source = level * n_sequences + (place if order is None else order[place])
    where = np.full(n_steps * n_sequences, len(rows))
    where[source] = rows
    with torch.inference_mode(mode=False):
        return Levels(
            _tensor(sizes),
            n_sequences,
            len(rows),
            None if order is None else _tensor(order),
            even=False,
            offsets=_tensor(offsets),
            level=_tensor(level),
            place=_tensor(place),
            live=torch.ones(len(rows), dtype=torch.bool),
            rank=None if order is None else _tensor(np.argsort(order)),
            source=_tensor(source),
            where=_tensor(where),
        )


def _tensor(numbers: Integers) -> Tensor:
    return torch.from_numpy(numbers)
