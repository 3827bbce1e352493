"""Labels of edges: their numbers, from names or as given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from cellwise.errors import StructureError, nearest
from cellwise.structures.forest_checks import place_of, whole_numbers
from cellwise.structures.forest_levels import Integers


@dataclass(frozen=True)
class Relations:
    """The label of the edge above each node, int64 [N], and what the labels are called."""

    of_node: Integers
    n_relations: int
    names: tuple[str, ...] = ()


def named(
    relations: Iterable[Any], sizes: Integers, known: Sequence[str] | int | None
) -> Relations:
    """The labels of all nodes as numbers. Those of the roots count for nothing, but for a place.

    Args:
        relations: one list a tree, of names or of numbers, a label for each node.
        sizes: int64 [n_trees], the nodes of each tree.
        known: all names, or how many numbers there are; None: those that occur.

    Raises:
        StructureError: a list is too long or short, or a label is not known.
    """
    rows = [row if isinstance(row, np.ndarray) else list(row) for row in relations]
    if len(rows) != len(sizes):
        raise StructureError(f"there are relations for {len(rows)} trees, but {len(sizes)} trees")
    for tree, (row, size) in enumerate(zip(rows, sizes, strict=True)):
        if len(row) != size:
            raise StructureError(f"tree {tree}: has {size} nodes, but {len(row)} relations")
    if any(isinstance(label, str) for row in rows for label in row[:1]):
        return _of_names([str(label) for label in chain.from_iterable(rows)], sizes, known)
    return _of_numbers(rows, sizes, known)


def _of_names(
    labels: Sequence[str], sizes: Integers, known: Sequence[str] | int | None
) -> Relations:
    if isinstance(known, int):
        raise StructureError("the relations are names, so relation_names must be names too")
    names = tuple(sorted(set(labels)) if known is None else known)
    numbers = {name: number for number, name in enumerate(names)}
    for node, label in enumerate(labels):
        if label not in numbers:
            hint = nearest(label, names)
            raise StructureError(
                f"{place_of(node, sizes)}: its relation '{label}' is none of the "
                f"{len(names)} that are known" + (f". {hint}" if hint else "")
            )
    of_node = np.fromiter(map(numbers.__getitem__, labels), np.int64, len(labels))
    return Relations(of_node, len(names), names)


def _of_numbers(
    rows: Sequence[Any], sizes: Integers, known: Sequence[str] | int | None
) -> Relations:
    nothing = np.zeros(0, np.int64)
    parts = [whole_numbers(row, f"tree {i}: the relations") for i, row in enumerate(rows)]
    of_node = np.concatenate([nothing, *parts])
    names = () if known is None or isinstance(known, int) else tuple(known)
    n_relations = known if isinstance(known, int) else len(names)
    if known is None:
        n_relations = int(of_node.max(initial=-1)) + 1
    for node in np.flatnonzero((of_node < 0) | (of_node >= n_relations))[:1]:
        raise StructureError(
            f"{place_of(node, sizes)}: its relation is {of_node[node]}, "
            f"but must be from 0 to {n_relations - 1}"
        )
    return Relations(of_node, n_relations, names)
