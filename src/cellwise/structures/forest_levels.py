"""How high each node of a forest stands, without recursion.

In trees every node has one parent, so distances are found by doubling: after k rounds each node
knows its ancestor 2^k above, and all that lies less than 2^k below it. Graphs with shared nodes go
level by level from their leaves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def tree_levels(parents: Integers) -> tuple[Integers, Integers] | None:
    """The heights above the lowest leaf and the depths below the root, int64 [N] each.

    Returns:
        None, if some nodes are their own ancestors.
    """
    n_nodes = len(parents)
    nobody = n_nodes
    above = np.append(np.where(parents < 0, nobody, parents), nobody)
    depths = np.append((parents >= 0).astype(np.int64), 0)
    heights = np.zeros(n_nodes, np.int64)
    distance = 1
    nodes = np.flatnonzero(parents >= 0)
    while len(nodes):
        if distance > n_nodes:
            return None
        ancestors = above[nodes]
        np.maximum.at(heights, ancestors, heights[nodes] + distance)
        deeper, further = depths[ancestors], above[ancestors]
        depths[nodes] += deeper
        above[nodes] = further
        nodes = nodes[further != nobody]
        distance *= 2
    return heights, depths[:-1]


def on_a_circle(parents: Integers) -> Integers:
    """The nodes from which the parents lead into a circle."""
    n_nodes = len(parents)
    above = np.append(np.where(parents < 0, n_nodes, parents), n_nodes)
    for _ in range(n_nodes.bit_length()):
        above = above[above]
    return np.flatnonzero(above[:-1] < n_nodes)


def graph_levels(children: Integers, first: Integers) -> Integers:
    """The longest way down from each node, int64 [N]; -1 for nodes from which a circle is reached.

    Args:
        children: int64 [E], sorted by the nodes that read them.
        first: int64 [N + 1], the first edge of each node.
    """
    n_nodes = len(first) - 1
    up, up_first = turned(children, first)
    n_readers = np.diff(up_first)
    waiting = np.diff(first)
    levels = np.full(n_nodes, -1, np.int64)
    frontier = np.flatnonzero(waiting == 0)
    level = 0
    while len(frontier):
        levels[frontier] = level
        readers = up[ranges(up_first[frontier], n_readers[frontier])]
        np.subtract.at(waiting, readers, 1)
        frontier = np.unique(readers[waiting[readers] == 0])
        level += 1
    return levels


def turned(children: Integers, first: Integers) -> tuple[Integers, Integers]:
    """The edges in the other direction: the readers of each node, and where they begin."""
    order = by_value(children)
    return readers_of(first)[order], offsets(np.bincount(children, minlength=len(first) - 1))


def readers_of(first: Integers) -> Integers:
    """The node that reads each edge, int64 [E]."""
    return np.repeat(np.arange(len(first) - 1), np.diff(first))


def by_value(values: Integers) -> Integers:
    """The positions of whole numbers from 0 on, sorted by value; among equals the first first."""
    small = values.astype(np.int16) if values.max(initial=0) < 2**15 else values
    return np.argsort(small, kind="stable")


def ranges(starts: Integers, counts: Integers) -> Integers:
    """The numbers starts[0], starts[0] + 1, …, counts[0] of them, then those of the next."""
    begins = offsets(counts)
    return np.arange(begins[-1]) + np.repeat(starts - begins[:-1], counts)


def offsets(counts: Integers) -> Integers:
    """Where each of consecutive pieces begins, and where the last one ends: int64 [n + 1]."""
    found = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=found[1:])
    return found
