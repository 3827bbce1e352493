"""The nodes of a forest as back ends walk over them, as whole numbers.

Rows are nodes, in the order in which a sweep computes them: the leaves first, where they have
equations of their own, then level after level, the nodes of a level not depending on each other.
Edges lie by node, a node's children in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Nodes:
    """Rows and edges.

    Attributes:
        n_leaves: rows that the leaves' equations define, ahead of all levels.
        starts: [L + 1], where each level begins; the first at `n_leaves`, the last entry is N.
        first: [N + 1], where the edges of each row begin.
        children: [E], the row at the end of each edge.
        slots: [E], the number of the slot of each edge; empty if there are none.
        slot_names: the names of the slots.
        labels: [E], the number of the label of each edge; empty if there are none.
        trees: [N], the tree that each row belongs to; never falling within a level.
        order: [N], the forest's node in each row; `rank`: [N], the row of each of its nodes.
        ends: [R], the rows at which a sweep ends: roots, or leaves if it runs down.
    """

    n_leaves: int
    starts: Integers
    first: Integers
    children: Integers
    slots: Integers
    slot_names: tuple[str, ...]
    labels: Integers
    trees: Integers
    order: Integers
    rank: Integers
    ends: Integers

    @property
    def n_rows(self) -> int:
        """N, the number of nodes."""
        return len(self.first) - 1

    @property
    def n_levels(self) -> int:
        """L, the number of levels."""
        return len(self.starts) - 1

    @cached_property
    def parents(self) -> Integers:
        """[E], the row at the beginning of each edge."""
        return np.repeat(np.arange(self.n_rows), np.diff(self.first))

    @cached_property
    def works(self) -> dict[object, Any]:
        """What back ends have worked out of these nodes."""
        return {}

    @cached_property
    def _kept(self) -> dict[str, tuple[Integers, Integers]]:
        return {}

    def above(self, slot: str = "") -> tuple[Integers, Integers]:
        """The edges that lead to each row: where its begin, [N + 1], and the edges' numbers.

        With a slot, those edges only that put the row there.
        """
        if slot not in self._kept:
            edges = np.arange(len(self.children))
            if slot:
                edges = edges[self._in_slot(slot)]
            ends = self.children[edges]
            counts = np.bincount(ends, minlength=self.n_rows)
            first = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
            self._kept[slot] = first, edges[np.argsort(ends, kind="stable")]
        return self._kept[slot]

    @cached_property
    def _tables(self) -> dict[str, Integers]:
        return {}

    def neighbour(self, index: str) -> Integers:
        """[N], the row of each row's child in a slot, or of its parent; -1 where there is none."""
        if index not in self._tables:
            found = np.full(self.n_rows, -1, np.int64)
            if index == "parent":
                found[self.children] = self.parents
            else:
                edges = np.flatnonzero(self._in_slot(index))
                found[self.parents[edges]] = self.children[edges]
            self._tables[index] = found
        return self._tables[index]

    def _in_slot(self, name: str) -> npt.NDArray[np.bool_]:
        if name not in self.slot_names:
            return np.zeros(len(self.children), np.bool_)
        return np.equal(self.slots, self.slot_names.index(name))

    @cached_property
    def are_trees(self) -> bool:
        """Whether every node has one parent at most."""
        return int(np.bincount(self.children, minlength=1).max()) <= 1

    @cached_property
    def labels_above(self) -> Integers:
        """[N], the label of the edge that leads to each row, in trees; 0 where there is none."""
        found = np.zeros(self.n_rows, np.int64)
        found[self.children] = self.labels
        return found

    def gathered(self, over: str) -> tuple[Integers, Integers]:
        """For `k` the children of each row, for `p` its parents, for `p left` those by a slot.

        Returns:
            Where each row's begin, [N + 1], and the rows.
        """
        if over == "k":
            return self.first, self.children
        first, edges = self.above(over.removeprefix("p").strip())
        return first, self.parents[edges]

    def below(self, start: int, stop: int) -> tuple[Integers, Integers]:
        """The edges to the children of rows `start` to `stop`, and to which row each belongs."""
        first = self.first[start : stop + 1]
        return np.arange(first[0], first[-1]), np.repeat(np.arange(stop - start), np.diff(first))

    def upward(self, start: int, stop: int, slot: str) -> tuple[Integers, Integers]:
        """The edges that lead to rows `start` to `stop`, and to which of them each belongs."""
        first, edges = self.above(slot)
        places = np.repeat(np.arange(stop - start), np.diff(first[start : stop + 1]))
        return edges[first[start] : first[stop]], places
