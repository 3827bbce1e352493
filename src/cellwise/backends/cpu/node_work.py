"""Which thread computes which nodes of a forest, in which order."""

from __future__ import annotations

import weakref
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from cellwise.backends.cpu.work import Integers, address_of
from cellwise.backends.nodes import Nodes

MOST_ROWS = 96
"""A level of more rows is cut: its rows do not depend on each other, and buffers stay in caches."""


class NodeWork:
    """The nodes of one thread.

    Attributes:
        starts: [L + 1], where each level begins among the thread's rows, in the order of the sweep.
        rows: [R], which row of the forest each of them is.
        most: rows in the largest level.
    """

    first = n_places = 0
    member, members = 0, 1

    def __init__(self, nodes: Nodes, rows: Integers, counts: Integers):
        self._forest, self.rows = weakref.ref(nodes), rows  # which holds what is worked out of it
        counts = _cut(counts[counts > 0])
        self.starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        self.most = int(counts.max(initial=0))
        self._held: dict[str, Integers] = {"starts": self.starts, "rows": rows}

    def turned(self) -> NodeWork:
        """The same rows in the other direction."""
        rows, counts = np.ascontiguousarray(self.rows[::-1]), np.diff(self.starts)[::-1]
        return NodeWork(self._nodes, rows, counts)

    @property
    def _nodes(self) -> Nodes:
        nodes = self._forest()
        assert nodes is not None  # whoever calls has them
        return nodes

    def number(self, what: str) -> int:
        """A count or an address that a kernel's frame holds."""
        if what == "n_levels":
            return len(self.starts) - 1
        if what in ("n_places", "member", "members"):
            found: int = getattr(self, what)
            return found
        if what not in self._held:
            kind, _, name = what.partition(" ")
            if what == "table label":
                self._keep(what, self._nodes.labels_above[self.rows])
            elif kind == "table":
                self._keep(what, self._nodes.neighbour(name)[self.rows])
            else:
                self._gather(name)
        return address_of(self._held[what])

    def _keep(self, what: str, numbers: Integers) -> None:
        """Hold numbers, unless another thread has been quicker: their address is given away."""
        self._held.setdefault(what, numbers)

    def _gather(self, over: str) -> None:
        """The lists of the rows that each of the thread's rows gathers."""
        first, others = self._nodes.gathered(over)
        counts = first[self.rows + 1] - first[self.rows]
        begins = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        places = np.arange(begins[-1]) + np.repeat(first[self.rows] - begins[:-1], counts)
        self._keep(f"list_first {over}", begins)
        self._keep(f"list {over}", np.ascontiguousarray(others[places]))


def _cut(counts: Integers) -> Integers:
    """The sizes of levels, with those of too many rows in pieces."""
    if not len(counts) or counts.max() <= MOST_ROWS:
        return counts
    pieces = -(-counts // MOST_ROWS)
    sizes = np.full(pieces.sum(), MOST_ROWS, dtype=np.int64)
    sizes[np.cumsum(pieces) - 1] = counts - (pieces - 1) * MOST_ROWS
    return sizes


class NodeRows:
    """The rows of a forest's levels, or of its leaves: what a kernel and its sums run over."""

    def __init__(self, nodes: Nodes, *, leaf: bool, backward: bool):
        self.nodes, self.leaf, self.backward = nodes, leaf, backward
        self.start = 0 if leaf else nodes.n_leaves
        self.n_rows = nodes.n_leaves if leaf else nodes.n_rows - nodes.n_leaves

    def shares(self, n_threads: int, *, reverse: bool) -> tuple[NodeWork, ...]:
        """The rows of each thread; kept with the nodes."""
        turned = self.backward and not self.leaf
        key = (n_threads, self.leaf, turned)
        found: tuple[NodeWork, ...] | None = self.nodes.works.get(key)
        if found is None:
            if turned:
                up = NodeRows(self.nodes, leaf=False, backward=False)
                found = tuple(work.turned() for work in up.shares(n_threads, reverse=False))
            else:
                found = self._of_leaves(n_threads) if self.leaf else self._of_trees(n_threads)
            self.nodes.works[key] = found
        return found

    def _of_leaves(self, n_threads: int) -> tuple[NodeWork, ...]:
        """Leaves do not depend on each other: equal numbers of them."""
        cuts = np.linspace(0, self.n_rows, n_threads + 1).astype(np.int64).tolist()
        return tuple(
            NodeWork(self.nodes, np.arange(start, stop), np.array([stop - start]))
            for start, stop in pairwise(cuts)
            if stop > start
        )

    def _of_trees(self, n_threads: int) -> tuple[NodeWork, ...]:
        """Whole trees, neighbours, so that each thread has about as many nodes."""
        nodes = self.nodes
        if not self.n_rows:
            return ()
        trees = nodes.trees[self.start :]
        sizes = np.bincount(trees)
        ends = np.cumsum(sizes)
        marks = ends[-1] * np.arange(1, n_threads) / n_threads
        cuts = [0, *np.searchsorted(ends - sizes / 2, marks).tolist(), len(sizes)]
        levels = np.repeat(np.arange(nodes.n_levels), np.diff(nodes.starts))
        return tuple(
            self._work(levels, np.flatnonzero((trees >= first) & (trees < last)))
            for first, last in pairwise(cuts)
            if last > first and ends[last - 1] > (ends[first - 1] if first else 0)
        )

    def _work(self, levels: Integers, places: Integers) -> NodeWork:
        counts = np.bincount(levels[places], minlength=self.nodes.n_levels)
        return NodeWork(self.nodes, places + self.start, counts)

    def team(self, n_threads: int, *, reverse: bool) -> tuple[NodeWork, ...]:
        """Nodes are never shared: whole trees go to threads."""
        del n_threads, reverse
        return ()

    def other(self, index: str) -> Integers:
        """For each row, which one is read at an index; -1 where there is none."""
        found = self.nodes.neighbour(index)[self.start : self.start + self.n_rows]
        return np.ascontiguousarray(found)

    def labels(self) -> Integers:
        """The label of each row."""
        return self.nodes.labels_above[self.start : self.start + self.n_rows]

    def moved(self, rows: Tensor, edge: Tensor, index: str) -> Tensor:
        """What each row reads at an index; zeros where there is none."""
        found = torch.from_numpy(self.other(index))
        there = (found >= 0).reshape(-1, *[1] * (rows.dim() - 1))
        return torch.where(there, rows.index_select(0, found.clamp(min=0)), 0)
