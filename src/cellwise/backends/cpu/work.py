"""Which thread computes which rows, in which order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from cellwise.backends.schedule import Schedule

Integers = npt.NDArray[np.int64]


def address_of(numbers: npt.NDArray[Any]) -> int:
    """Where an array's memory begins; quicker than its `ctypes.data`."""
    address: int = numbers.__array_interface__["data"][0]
    return address


class Work(Protocol):
    """The rows of one thread.

    Attributes:
        first, n_places: the sequences in whose places they are, where rows are steps.
        starts: [L + 1], where each level begins among the thread's rows, in the order of the sweep.
        most: rows in the largest level.
    """

    @property
    def first(self) -> int:
        """The first of the places of its sequences."""

    @property
    def n_places(self) -> int:
        """How many places there are."""

    @property
    def starts(self) -> Integers:
        """Where each level begins."""

    @property
    def most(self) -> int:
        """Rows in the largest level."""

    @property
    def member(self) -> int:
        """Which of the threads that share the rows it is."""

    @property
    def members(self) -> int:
        """How many threads share the rows."""

    def __hash__(self) -> int: ...
    def number(self, what: str) -> int:
        """A count or an address that a kernel's frame holds."""


@dataclass(frozen=True, eq=False)
class Share:
    """The rows of one thread: those of the sequences in places `first` to `first + n_places`.

    Attributes:
        starts: [L + 1], where each level begins among the thread's rows, in the order of the sweep.
        rows: [R], which row of the batch each of them is.
        befores: [R], the row of the step before; -1 - p where there is none, p being the place.
        parities: [n_places], in which half of the state buffers a sequence's last state lies.
        most: rows in the largest level.
        member, members: which of the threads that have these rows together, and how many there are.
    """

    first: int
    n_places: int
    starts: Integers
    rows: Integers
    befores: Integers
    parities: Integers
    most: int
    member: int = 0
    members: int = 1

    def number(self, what: str) -> int:
        """A count or an address that a kernel's frame holds."""
        if what == "n_levels":
            return len(self.starts) - 1
        found = getattr(self, what)
        return found if isinstance(found, int) else address_of(found)


@lru_cache(maxsize=32)
def shares(schedule: Schedule, n_threads: int, *, reverse: bool) -> tuple[Share, ...]:
    """Cut a batch between threads: neighbouring sequences, about as many rows each."""
    sizes = np.array(schedule.sizes, dtype=np.int64)
    offsets = np.cumsum(sizes) - sizes
    return tuple(
        _share(sizes, offsets, (first, last - first), reverse=reverse)
        for first, last in pairwise(_cuts(sizes, schedule.n_sequences, n_threads))
        if last > first
    )


@lru_cache(maxsize=32)
def team(schedule: Schedule, n_threads: int, *, reverse: bool) -> tuple[Share, ...]:
    """All rows of a batch for each of the threads: every one computes some units of them."""
    whole = shares(schedule, 1, reverse=reverse)
    return tuple(
        replace(share, member=member, members=n_threads)
        for share in whole
        for member in range(n_threads)
    )


def _cuts(sizes: Integers, n_sequences: int, n_threads: int) -> list[int]:
    """The first place of each thread, and the end of the last one's."""
    n_live = int(sizes[0]) if len(sizes) else 0
    n_threads = max(1, min(n_threads, n_live))
    if n_threads == 1:
        return [0, n_sequences]
    lengths = len(sizes) - np.searchsorted(sizes[::-1], np.arange(n_live), side="right")
    ends = np.cumsum(lengths)
    numbers = np.arange(1, n_threads)
    marks = ends[-1] * numbers / n_threads
    nearest = np.searchsorted(ends - lengths / 2, marks)  # ends of sequences next to the marks
    return [0, *np.maximum(nearest, numbers).tolist(), n_sequences]


def _share(sizes: Integers, offsets: Integers, places: tuple[int, int], *, reverse: bool) -> Share:
    first, n_places = places
    n_levels = int(np.count_nonzero(sizes > first))
    step = -1 if reverse else 1
    counts = np.minimum(sizes[:n_levels] - first, n_places)[::step]
    starts = np.zeros(n_levels + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    numbers = np.arange(starts[-1])
    # A row's place is its number less that of the first in its level, and `first`.
    shift = first - starts[:-1]
    rows = numbers + np.repeat(offsets[:n_levels][::step] + shift, counts)
    before = np.zeros(n_levels, dtype=np.int64)
    before[1:] = offsets[: max(n_levels - 1, 0)]
    befores = numbers + np.repeat(before[::step] + shift, counts)
    if n_levels:
        begin = starts[-2 if reverse else 0]
        lowest = befores[begin : begin + (counts[-1] if reverse else counts[0])]
        np.invert(lowest, out=lowest)  # -1 - p
    if reverse:
        parities = np.full(n_places, n_levels & 1, dtype=np.int64)
    else:
        below = np.searchsorted(counts[::-1], np.arange(n_places), side="right")
        parities = ((n_levels - below) & 1).astype(np.int64)
    most = int(counts[-1 if reverse else 0]) if n_levels else 0
    return Share(first, n_places, starts, rows, befores, parities, most)


@dataclass(frozen=True)
class Steps:
    """All rows of a batch of sequences: what sums over rows run over."""

    schedule: Schedule

    @property
    def start(self) -> int:
        """The first row."""
        return 0

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return self.schedule.n_rows

    def shares(self, n_threads: int, *, reverse: bool) -> tuple[Work, ...]:
        """The rows of each thread."""
        return shares(self.schedule, n_threads, reverse=reverse)

    def team(self, n_threads: int, *, reverse: bool) -> tuple[Work, ...]:
        """All rows for each of the threads."""
        return team(self.schedule, n_threads, reverse=reverse)

    def other(self, index: str) -> Integers:
        """For each row, which one is read at an index; -1 - p for place p of the edge."""
        assert index == "t-1"
        return befores(self.schedule)

    def labels(self) -> Integers:
        """The label of each row: steps have none."""
        return np.zeros(self.n_rows, np.int64)

    def moved(self, rows: Tensor, edge: Tensor, index: str) -> Tensor:
        """What each row reads at an index."""
        return self.schedule.shift(rows[: self.n_rows], edge, index)


@lru_cache(maxsize=32)
def befores(schedule: Schedule) -> Integers:
    """For each row of a batch, the row of the step before; -1 - p where there is none."""
    (whole,) = shares(schedule, 1, reverse=False) or (None,)
    return np.zeros(0, np.int64) if whole is None else whole.befores
