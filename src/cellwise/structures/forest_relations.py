"""Labels of edges: their numbers, from names or as given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import Any, Literal

import numpy as np

from cellwise.errors import StructureError, nearest
from cellwise.structures.forest_checks import listed, place_of, whole_numbers
from cellwise.structures.forest_levels import Integers


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
    unread: np.ndarray[Any, np.dtype[np.bool_]] | None = None


@dataclass(frozen=True)
class Relations:
    """The numbers of labels, int64, as many as were given, and what the labels are called.

    A label that nothing reads has the number 0.
    """

    numbers: Integers
    n_relations: int
    names: tuple[str, ...] = ()


def named(relations: Iterable[Any], given: Given, known: Sequence[str] | int | None) -> Relations:
    """Labels as numbers.

    Args:
        relations: one list a tree, of names or of numbers.
        given: what they are given for.
        known: all names, or how many numbers there are; None: those that occur.

    Raises:
        StructureError: a list is too long or short, or a label is not known.
    """
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
    # A root may have a number or None where all others have names.
    if any(isinstance(label, str) for row in rows for label in row[:2]):
        return _of_names(list(chain.from_iterable(rows)), given, known)
    return _of_numbers(rows, given, known)


def _of_names(
    labels: Sequence[object], given: Given, known: Sequence[str] | int | None
) -> Relations:
    if isinstance(known, int):
        raise StructureError("the relations are names, so relation_names must be names too")
    read = np.ones(len(labels), bool) if given.unread is None else ~given.unread
    found = [str(label) for label in compress(labels, read)]
    names = tuple(sorted(set(found)) if known is None else known)
    of_name = {name: number for number, name in enumerate(names)}
    for place, label in zip(np.flatnonzero(read), found, strict=True):
        if label not in of_name:
            hint = nearest(label, names)
            raise StructureError(
                f"{place_of(place, given.counts, given.noun)}: its relation '{label}' is none of "
                f"the {len(names)} that are known" + (f". {hint}" if hint else "")
            )
    numbers = np.zeros(len(labels), np.int64)
    numbers[read] = np.fromiter(map(of_name.__getitem__, found), np.int64, len(found))
    return Relations(numbers, len(names), names)


def _of_numbers(rows: Sequence[Any], given: Given, known: Sequence[str] | int | None) -> Relations:
    nothing = np.zeros(0, np.int64)
    parts = [whole_numbers(row, f"tree {i}: the relations") for i, row in enumerate(rows)]
    numbers = np.concatenate([nothing, *parts])
    if given.unread is not None:
        numbers = np.where(given.unread, 0, numbers)
    names = () if known is None or isinstance(known, int) else tuple(known)
    n_relations = known if isinstance(known, int) else len(names)
    if known is None:
        n_relations = int(numbers.max(initial=-1)) + 1
    wrong = (numbers < 0) | (numbers >= n_relations)
    if given.unread is not None:
        wrong &= ~given.unread
    for place in np.flatnonzero(wrong)[:1]:
        raise StructureError(
            f"{place_of(place, given.counts, given.noun)}: its relation is {numbers[place]}, "
            f"but must be from 0 to {n_relations - 1}"
        )
    return Relations(numbers, n_relations, names)
