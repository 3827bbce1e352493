"""A forest in the order in which a cell is folded over it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from cellwise.backends.nodes import Integers, Nodes
from cellwise.structures.forest import Forest
from cellwise.structures.forest_levels import by_value, offsets, ranges

NOTHING = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Order:
    """How the nodes of a forest lie while a cell is folded over them.

    Attributes:
        nodes: what back ends walk over.
    """

    nodes: Nodes

    @cached_property
    def order(self) -> Tensor:
        """int64 [N], the forest's node in each row."""
        return _tensor(self.nodes.order)

    @cached_property
    def rank(self) -> Tensor:
        """int64 [N], the row of each of the forest's nodes."""
        return _tensor(self.nodes.rank)

    @cached_property
    def end_rows(self) -> Tensor:
        """int64 [R], the rows of the ends."""
        return _tensor(self.nodes.ends)


def _tensor(numbers: Integers) -> Tensor:
    with torch.inference_mode(mode=False):  # it stays with the forest
        return torch.from_numpy(numbers)


def ordered(forest: Forest, *, leaf: bool, down: bool) -> Order:
    """The order of a forest; kept with it.

    Args:
        forest: the forest.
        leaf: leaves have equations of their own, and come first.
        down: nodes read their parents, so that roots come first.
    """
    known: dict[tuple[bool, bool], Order] = forest.__dict__.setdefault("_orders", {})
    if (leaf, down) not in known:
        known[leaf, down] = _ordered(forest, leaf=leaf, down=down)
    return known[leaf, down]


def _ordered(forest: Forest, *, leaf: bool, down: bool) -> Order:
    levels = forest.depths if down else forest.levels
    order = by_value(levels)
    sizes = np.bincount(levels) if len(levels) else NOTHING
    starts = offsets(sizes)
    n_leaves = int(sizes[0]) if leaf and len(sizes) else 0
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    counts = forest.n_children[order]
    edges = ranges(forest.first[:-1][order], counts)
    nodes = Nodes(
        n_leaves,
        starts[1:] if n_leaves else starts,
        offsets(counts),
        rank[forest.children[edges]],
        NOTHING if forest.slots is None else forest.slots[edges],
        forest.slot_names,
        NOTHING if forest.relations is None else forest.relations[edges],
        forest.tree_of_node[order],
        order,
        rank,
        rank[forest.leaves if down else forest.roots],
    )
    return Order(nodes)
