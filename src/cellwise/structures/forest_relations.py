"""Labels of edges: their numbers, from names or as given."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, compress
from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from cellwise.errors import StructureError, nearest
from cellwise.structures.forest_checks import listed, place_of, whole_numbers
from cellwise.structures.forest_levels import Integers

Mask = NDArray[np.bool_]
Known = Sequence[str] | SupportsIndex | None
"""All names of labels, or how many numbers there are; None: those that occur."""

_Told = int | tuple[str, ...] | None
"""The same, once it is checked."""


@dataclass(frozen=True)
class Given:
    """What labels are given for, and how many of it each tree has.

    Attributes:
        noun: labels belong to the edges themselves, or to the nodes below them.
        counts: int64 [n_trees].
        unread: bool [N], the nodes without an edge above, whose labels nothing reads; or None.
    """

    noun: Literal["node", "edge"]
    counts: Integers
    unread: Mask | None = None

    @cached_property
    def read(self) -> Mask:
        """Which labels are read, [N]."""
        n_labels = int(self.counts.sum())
        return np.ones(n_labels, bool) if self.unread is None else ~self.unread

    def read_of_trees(self) -> list[Mask]:
        """The same, tree by tree."""
        return np.split(self.read, np.cumsum(self.counts)[:-1]) if len(self.counts) else []


@dataclass(frozen=True)
class Relations:
    """The numbers of labels, int64, as many as were given, and what the labels are called.

    A label that nothing reads has the number 0.
    """

    numbers: Integers
    n_relations: int
    names: tuple[str, ...] = ()


def named(relations: Iterable[Any], given: Given, known: Known) -> Relations:
    """Labels as numbers.

    Args:
        relations: one list a tree, of names or of numbers.
        given: what they are given for.
        known: all names, or how many numbers there are; None: those that occur.

    Raises:
        StructureError: a list is too long or short, or a label is not known.
    """
    told = _checked(known)
    rows = [
        row if isinstance(row, np.ndarray) else listed(row, f"tree {tree}: the relations")
        for tree, row in enumerate(listed(relations, "relations"))
    ]
    if len(rows) != len(given.counts):
        n_trees = len(given.counts)
        raise StructureError(f"there are relations for {len(rows)} trees, but {n_trees} trees")
    for tree, (row, count) in enumerate(zip(rows, given.counts, strict=True)):
        if len(row) != count:
            raise StructureError(
                f"tree {tree}: has {count} {given.noun}s, but {len(row)} relations"
            )
    if any(isinstance(label, str) for label in _first_read(rows, given)):
        return _of_names(list(chain.from_iterable(rows)), given, told)
    return _of_numbers(rows, given, told)


def _checked(known: object) -> _Told:
    """How many numbers there are, or all names; None: those that occur.

    Raises:
        StructureError: it is neither.
    """
    if known is None:
        return None
    if isinstance(known, SupportsIndex) and not isinstance(known, Iterable):
        count = operator.index(known)
        if count < 0:
            raise StructureError(f"relation_names must be 0 at least, not {known!r}")
        return count
    names = [None] if isinstance(known, str) or not isinstance(known, Iterable) else list(known)
    if not all(isinstance(name, str) for name in names):
        raise StructureError(
            f"relation_names must be a list of names, or how many numbers there are, not {known!r}"
        )
    for name, count in Counter(names).items():
        if count > 1:
            raise StructureError(f"relation_names holds '{name}' twice")
    return tuple(map(str, names))


def _first_read(rows: Sequence[Any], given: Given) -> Iterator[object]:
    """Of each tree the first label that is read."""
    for row, read in zip(rows, given.read_of_trees(), strict=True):
        yield from (row[place] for place in np.flatnonzero(read)[:1])


def _of_names(labels: Sequence[object], given: Given, known: _Told) -> Relations:
    if isinstance(known, int):
        raise StructureError("the relations are names, so relation_names must be names too")
    found = [
        _name(label, place, given)
        for place, label in zip(
            np.flatnonzero(given.read), compress(labels, given.read), strict=True
        )
    ]
    names = tuple(sorted(set(found)) if known is None else known)
    of_name = {name: number for number, name in enumerate(names)}
    for place, label in zip(np.flatnonzero(given.read), found, strict=True):
        if label not in of_name:
            hint = nearest(label, names)
            raise StructureError(
                f"{place_of(place, given.counts, given.noun)}: its relation '{label}' is none of "
                f"the {len(names)} that are known" + (f". {hint}" if hint else "")
            )
    numbers = np.zeros(len(labels), np.int64)
    numbers[given.read] = np.fromiter(map(of_name.__getitem__, found), np.int64, len(found))
    return Relations(numbers, len(names), names)


def _name(label: object, place: np.int64, given: Given) -> str:
    if isinstance(label, str):
        return str(label)
    raise StructureError(
        f"{place_of(place, given.counts, given.noun)}: its relation is {label!r}, but others are "
        "names"
    )


def _of_numbers(rows: Sequence[Any], given: Given, known: _Told) -> Relations:
    nothing = np.zeros(0, np.int64)
    parts = [
        whole_numbers(_read_alone(row, read), f"tree {tree}: the relations")
        for tree, (row, read) in enumerate(zip(rows, given.read_of_trees(), strict=True))
    ]
    found = np.concatenate([nothing, *parts])
    names = known if isinstance(known, tuple) else ()
    n_relations = known if isinstance(known, int) else len(names)
    if known is None:
        n_relations = int(found.max(initial=-1)) + 1
    for place in np.flatnonzero((found < 0) | (found >= n_relations))[:1]:
        where = place_of(np.flatnonzero(given.read)[place], given.counts, given.noun)
        bound = f"from 0 to {n_relations - 1}" if n_relations else "0 at least"
        raise StructureError(f"{where}: its relation is {found[place]}, but must be {bound}")
    numbers = np.zeros(len(given.read), np.int64)
    numbers[given.read] = found
    return Relations(numbers, n_relations, names)


def _read_alone(row: Any, read: Mask) -> Any:
    """The labels of a tree that are read."""
    return row[read] if isinstance(row, np.ndarray) else list(compress(row, read))
