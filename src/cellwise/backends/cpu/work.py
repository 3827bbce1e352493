"""Which thread computes which rows, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from cellwise.backends.schedule import Schedule

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Share:
    """The rows of one thread: those of the sequences in places `first` to `first + n_places`.

    Attributes:
        starts: [L + 1], where each level begins among the thread's rows, in the order of the sweep.
        rows: [R], which row of the batch each of them is.
        befores: [R], the row of the step before; -1 - p where there is none, p being the place.
        parities: [n_places], in which half of the state buffers a sequence's last state lies.
        most: rows in the largest level.
    """

    first: int
    n_places: int
    starts: Integers
    rows: Integers
    befores: Integers
    parities: Integers
    most: int


@lru_cache(maxsize=128)
def shares(schedule: Schedule, n_threads: int, *, reverse: bool) -> tuple[Share, ...]:
    """Cut a batch between threads: neighbouring sequences, about as many rows each."""
    sizes = np.array(schedule.sizes, dtype=np.int64)
    n_live = int(sizes[0]) if len(sizes) else 0
    lengths = len(sizes) - np.searchsorted(sizes[::-1], np.arange(n_live), side="right")
    ends = np.cumsum(lengths)
    n_threads = max(1, min(n_threads, n_live))
    numbers = np.arange(1, n_threads)
    marks = ends[-1] * numbers / n_threads if n_live else np.zeros(0)
    nearest = np.searchsorted(ends - lengths / 2, marks)  # ends of sequences next to the marks
    cuts = [0, *np.maximum(nearest, numbers).tolist(), schedule.n_sequences]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return tuple(
        _share(sizes, offsets, first, last - first, reverse=reverse)
        for first, last in pairwise(cuts)
        if last > first
    )


def _share(
    sizes: Integers, offsets: Integers, first: int, n_places: int, *, reverse: bool
) -> Share:
    counts = np.clip(sizes - first, 0, n_places)
    counts = counts[: np.count_nonzero(counts)]
    levels = np.arange(len(counts))
    order = levels[::-1] if reverse else levels
    counts = counts[order]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    level = np.repeat(order, counts)
    place = np.arange(len(level)) - np.repeat(starts[:-1], counts) + first
    before = offsets[np.maximum(level - 1, 0)] + place
    if reverse:
        parities = np.full(n_places, len(counts) & 1, dtype=np.int64)
    else:
        below = np.searchsorted(counts[::-1], np.arange(n_places), side="right")
        parities = (len(counts) - below) & 1
    return Share(
        first,
        n_places,
        starts,
        offsets[level] + place,
        np.where(level > 0, before, -1 - place),
        parities.astype(np.int64),
        int(counts.max()) if len(counts) else 0,
    )


@lru_cache(maxsize=128)
def befores(schedule: Schedule) -> Integers:
    """For each row of a batch, the row of the step before; -1 - p where there is none."""
    (whole,) = shares(schedule, 1, reverse=False) or (None,)
    return np.zeros(0, np.int64) if whole is None else whole.befores
