"""How the lists that a forest is given as become its integer arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from cellwise.errors import StructureError
from cellwise.structures.forest_checks import (
    check_children,
    check_levels,
    check_parents,
    check_range,
    check_sizes,
    check_slots,
    listed,
    raise_circle,
    slot_number,
    whole_numbers,
)
from cellwise.structures.forest_levels import (
    Integers,
    by_value,
    graph_levels,
    offsets,
    on_a_circle,
    tree_levels,
)


@dataclass(frozen=True)
class Wiring:
    """The integers of a forest, as `Forest` describes them, and the levels where they are known.

    Attributes:
        given: the number that each edge was given with, counted over all graphs; of graphs alone.
    """

    bounds: Integers
    first: Integers
    children: Integers
    slots: Integers | None = None
    given: Integers | None = None
    levels: Integers | None = None
    depths: Integers | None = None


def of_parents(lists: Iterable[Any]) -> Wiring:
    """The wiring of trees given by the parent of each node, -1 for the root.

    Raises:
        StructureError: this is no tree.
    """
    rows = [
        whole_numbers(row, f"tree {i}: the parents")
        for i, row in enumerate(listed(lists, "the parents of trees"))
    ]
    sizes = np.array([len(row) for row in rows], np.int64)
    check_sizes(sizes)
    return _of_parents(np.concatenate([np.zeros(0, np.int64), *rows]), sizes)


def _of_parents(local: Integers, sizes: Integers) -> Wiring:
    check_parents(local, sizes)
    bounds = offsets(sizes)
    parents = np.where(local < 0, -1, local + np.repeat(bounds[:-1], sizes))
    children = np.flatnonzero(local >= 0)
    order = by_value(parents[children])
    heights, depths = _checked_levels(parents, sizes)
    first = offsets(np.bincount(parents[children], minlength=len(local)))
    return Wiring(bounds, first, children[order], levels=heights, depths=depths)


def _checked_levels(parents: Integers, sizes: Integers) -> tuple[Integers, Integers]:
    found = tree_levels(parents)
    if found is None:
        raise_circle(parents, int(on_a_circle(parents)[0]), sizes, "ancestor")
    return found


def of_children(lists: Iterable[Any]) -> Wiring:
    """The wiring of trees given by the list of each node's children.

    Raises:
        StructureError: this is no tree.
    """
    counts, rows = [], []
    for tree, nodes in enumerate(listed(lists, "the children of trees")):
        try:
            counts.append(np.fromiter(map(len, nodes), np.int64))
            flat = list(chain.from_iterable(nodes))
        except TypeError as error:
            raise StructureError(
                f"tree {tree}: the children must be a list of lists, one for each node"
            ) from error
        rows.append(whole_numbers(flat, f"tree {tree}: the children"))
    sizes = np.array([len(count) for count in counts], np.int64)
    check_sizes(sizes)
    first = offsets(np.concatenate([np.zeros(0, np.int64), *counts]))
    children = np.concatenate([np.zeros(0, np.int64), *rows])
    return _of_children(children, first, sizes)


def _of_children(local: Integers, first: Integers, sizes: Integers) -> Wiring:
    readers = np.repeat(np.arange(len(first) - 1), np.diff(first))
    trees = np.repeat(np.arange(len(sizes)), sizes)[readers]
    bounds = offsets(sizes)
    base = bounds[trees]
    check_range(local, readers - base, trees, sizes)
    children = local + base
    check_children(readers, children, sizes)
    parents = np.full(len(first) - 1, -1, np.int64)
    parents[children] = readers
    check_parents(np.where(parents < 0, -1, parents - np.repeat(bounds[:-1], sizes)), sizes)
    heights, depths = _checked_levels(parents, sizes)
    return Wiring(bounds, first, children, levels=heights, depths=depths)


def of_chains(lengths: Any) -> Wiring:
    """The wiring of unary trees whose node t has the child t - 1.

    Raises:
        StructureError: a length is not 1 at least.
    """
    sizes = whole_numbers(lengths, "lengths")
    check_sizes(sizes)
    bounds = offsets(sizes)
    step = np.arange(bounds[-1]) - np.repeat(bounds[:-1], sizes)
    children = np.flatnonzero(step > 0) - 1
    first = offsets((step > 0).astype(np.int64))
    return Wiring(bounds, first, children, levels=step, depths=np.repeat(sizes - 1, sizes) - step)


def of_grids(shapes: Iterable[Any]) -> Wiring:
    """The wiring of grids, row by row; slot 0 is the node to the left, slot 1 the one above.

    Raises:
        StructureError: a shape is not two whole numbers of 1 at least.
    """
    rows = [
        whole_numbers(shape, f"tree {i}: the rows and columns")
        for i, shape in enumerate(listed(shapes, "the shapes of grids"))
    ]
    for tree, shape in enumerate(rows):
        if len(shape) != 2 or shape.min() < 1:
            raise StructureError(
                f"tree {tree}: a grid has rows and columns, one at least of each, "
                f"but this has {shape.tolist()}"
            )
    keys = [(int(shape[0]), int(shape[1])) for shape in rows]
    grids = {key: _grid(*key) for key in set(keys)}
    pieces = [grids[key] for key in keys]
    bounds = offsets(np.array([len(piece.first) - 1 for piece in pieces], np.int64))
    return _joined(pieces, bounds)


def _grid(n_rows: int, n_columns: int) -> Wiring:
    row, column = np.divmod(np.arange(n_rows * n_columns), n_columns)
    left, up = np.flatnonzero(column > 0), np.flatnonzero(row > 0)
    readers = np.concatenate([left, up])
    order = np.argsort(readers, kind="stable")
    children = np.concatenate([left - 1, up - n_columns])[order]
    slots = np.repeat([0, 1], [len(left), len(up)])[order]
    first = offsets((column > 0).astype(np.int64) + (row > 0))
    return Wiring(offsets(np.array([len(row)])), first, children, slots, levels=row + column)


def _joined(pieces: Sequence[Wiring], bounds: Integers) -> Wiring:
    """Grids one after another."""
    nothing = np.zeros(0, np.int64)
    shifted = [piece.children + base for piece, base in zip(pieces, bounds, strict=False)]
    counts = [np.diff(piece.first) for piece in pieces]
    return Wiring(
        bounds,
        offsets(np.concatenate([nothing, *counts])),
        np.concatenate([nothing, *shifted]),
        np.concatenate([nothing, *(piece.slots for piece in pieces if piece.slots is not None)]),
        levels=np.concatenate(
            [nothing, *(piece.levels for piece in pieces if piece.levels is not None)]
        ),
    )


def of_edges(sizes: Any, graphs: Sequence[Any], names: Sequence[str]) -> Wiring:
    """The wiring of graphs given by edges (node, child) or, with slots, (node, child, slot).

    Raises:
        StructureError: a graph has a circle, or an edge that cannot be.
    """
    sizes = whole_numbers(sizes, "n")
    check_sizes(sizes)
    graphs = listed(graphs, "edges")
    if len(graphs) != len(sizes):
        raise StructureError(
            f"n tells the nodes of {len(sizes)} graphs, but there are edges for {len(graphs)}"
        )
    rows = [_edges(edges, tree, names) for tree, edges in enumerate(graphs)]
    table = np.concatenate([np.zeros((0, 3), np.int64), *rows])
    trees = np.repeat(np.arange(len(sizes)), [len(row) for row in rows])
    check_range(table[:, 1], table[:, 0], trees, sizes)
    bounds = offsets(sizes)
    readers, children = table[:, 0] + bounds[trees], table[:, 1] + bounds[trees]
    check_slots(readers, children, table[:, 2], names, sizes)
    order = by_value(readers)
    first = offsets(np.bincount(readers, minlength=bounds[-1]))
    slots = table[order, 2] if names else None
    levels, depths = _levels_of(readers[order], children[order], first, sizes)
    return Wiring(bounds, first, children[order], slots, order, levels=levels, depths=depths)


def _levels_of(
    readers: Integers, children: Integers, first: Integers, sizes: Integers
) -> tuple[Integers, Integers | None]:
    """The heights of a graph's nodes; of trees, where it takes few rounds, the depths too."""
    n_nodes = len(first) - 1
    if np.bincount(children, minlength=n_nodes).max(initial=0) <= 1:
        parents = np.full(n_nodes, -1, np.int64)
        parents[children] = readers
        found = tree_levels(parents)
        if found is not None:
            return found
    levels = graph_levels(children, first)
    check_levels(children, first, levels, sizes)
    return levels, None


def _edges(edges: Any, tree: int, names: Sequence[str]) -> Integers:
    """The edges of one graph, int64 [E, 3]: node, child and number of the slot."""
    what = f"tree {tree}: the nodes of the edges"
    table = edges if isinstance(edges, Sequence) else np.asarray(edges)
    if isinstance(table, np.ndarray) and not table.ndim:
        raise StructureError(f"tree {tree}: the edges must be a list, not {edges!r}")
    if isinstance(table, np.ndarray) and table.ndim == 2 and table.shape[1] == 2 and not names:
        nodes = whole_numbers(table.reshape(-1), what)
        return np.column_stack([nodes.reshape(-1, 2), np.zeros(len(table), np.int64)])
    edges = [edge.tolist() if hasattr(edge, "tolist") else edge for edge in edges]
    slots = [_slot(edge, f"tree {tree}, edge {i}", names) for i, edge in enumerate(edges)]
    nodes = whole_numbers(list(chain.from_iterable(edge[:2] for edge in edges)), what)
    return np.column_stack([nodes.reshape(-1, 2), np.array(slots, np.int64)])


def _slot(edge: Any, place: str, names: Sequence[str]) -> int:
    """The number of an edge's slot; 0 without slots."""
    if not isinstance(edge, Sequence) or len(edge) != (3 if names else 2):
        form = "(node, child, slot)" if names else "(node, child)"
        raise StructureError(f"{place}: an edge is {form} here, but this is {edge!r}")
    return slot_number(edge[2], names, place) if names else 0
