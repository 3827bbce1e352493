"""The arrays of a batch of acyclic graphs, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cellwise.structures.forest_checks import check_children
from cellwise.structures.forest_levels import (
    Integers,
    by_value,
    graph_levels,
    offsets,
    readers_of,
    tree_levels,
    turned,
)

_ARRAYS = ("bounds", "first", "children", "slots", "relations")


@dataclass(frozen=True, eq=False, repr=False)
class Graphs:
    """The arrays that `Forest` describes, and what follows from them.

    All arrays are int64 and read-only.

    Attributes:
        bounds: [n_trees + 1], the first node of each tree, and N.
        first: [N + 1], the first edge of each node, and E: the children of node n are
            `children[first[n]:first[n + 1]]`, in the order given.
        children: [E].
        slots: [E], the slot of each child, or None for sets of children without names.
        slot_names: what the slots are called.
        relations: [E], the label of each edge, or None.
        n_relations: how many labels there are.
        relation_names: what they are called, if they came as names.
        words: of trees in brackets: the word of each leaf, None for other nodes. Else empty.
        labels: of trees in brackets: the label of each node. Else empty.
    """

    bounds: Integers
    first: Integers
    children: Integers
    slots: Integers | None = None
    slot_names: tuple[str, ...] = ()
    relations: Integers | None = None
    n_relations: int = 0
    relation_names: tuple[str, ...] = ()
    words: tuple[str | None, ...] = ()
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Nobody changes the arrays, so that what follows from them can be kept."""
        for name in _ARRAYS:
            array = getattr(self, name)
            if array is not None:
                read_only(array)

    def __getstate__(self) -> dict[str, object]:
        """What goes to another process: not what folds have worked out of the nodes here."""
        return {name: v for name, v in self.__dict__.items() if name not in ("_orders", "_turned")}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Come back from there, or from a copy, whose arrays could be changed."""
        self.__dict__.update(state)
        for value in state.values():
            for array in value if isinstance(value, tuple) else (value,):
                if isinstance(array, np.ndarray):
                    read_only(array)

    def __eq__(self, other: object) -> bool:
        """Whether all arrays, names, words and labels are the same."""
        if not isinstance(other, Graphs):
            return NotImplemented
        names = ("slot_names", "n_relations", "relation_names", "words", "labels")
        return all(getattr(self, name) == getattr(other, name) for name in names) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in _ARRAYS
        )

    def __hash__(self) -> int:
        """Equal forests have equal numbers; those of unlike ones may be equal too."""
        return hash((self.n_trees, self.n_nodes, len(self.children), self.slot_names))

    def __len__(self) -> int:
        """The number of trees."""
        return self.n_trees

    @property
    def n_trees(self) -> int:
        """The number of trees."""
        return len(self.bounds) - 1

    @property
    def n_nodes(self) -> int:
        """The number of all nodes, N."""
        return len(self.first) - 1

    @cached_property
    def sizes(self) -> Integers:
        """The nodes of each tree, [n_trees]."""
        return read_only(np.diff(self.bounds))

    @cached_property
    def tree_of_node(self) -> Integers:
        """The tree of each node, [N]."""
        return read_only(np.repeat(np.arange(self.n_trees), self.sizes))

    @cached_property
    def readers(self) -> Integers:
        """The node that each edge starts from, [E]: it reads the child that the edge leads to."""
        return read_only(readers_of(self.first))

    @cached_property
    def n_children(self) -> Integers:
        """The children of each node, [N]."""
        return read_only(np.diff(self.first))

    @cached_property
    def leaves(self) -> Integers:
        """The nodes without children."""
        return read_only(np.flatnonzero(self.n_children == 0))

    @cached_property
    def roots(self) -> Integers:
        """The nodes that are nobody's children: in trees one each, in the order of the trees."""
        n_parents = np.bincount(self.children, minlength=self.n_nodes)
        return read_only(np.flatnonzero(n_parents == 0))

    @cached_property
    def are_trees(self) -> bool:
        """Whether every node has one parent at most."""
        return int(np.bincount(self.children, minlength=1).max()) <= 1

    @cached_property
    def parents(self) -> Integers:
        """The parent of each node, [N]; -1 for roots.

        Raises:
            StructureError: a node has several.
        """
        if not self.are_trees:
            check_children(self.readers, self.children, self.sizes)
        found = np.full(self.n_nodes, -1, np.int64)
        found[self.children] = self.readers
        return read_only(found)

    @cached_property
    def levels(self) -> Integers:
        """The height of each node, [N]: 0 for leaves, else one more than its highest child."""
        return read_only(self._both_levels[0])

    @cached_property
    def depths(self) -> Integers:
        """The longest way from a root down to each node, [N]: 0 for roots."""
        return read_only(self._both_levels[1])

    @cached_property
    def _both_levels(self) -> tuple[Integers, Integers]:
        found = tree_levels(self.parents) if self.are_trees else None
        if found is not None:
            return found
        up, up_first = turned(self.children, self.first)
        return graph_levels(self.children, self.first), graph_levels(up, up_first)

    @cached_property
    def order(self) -> Integers:
        """The nodes sorted by level, [N]; within a level by number."""
        return read_only(by_value(self.levels))

    @cached_property
    def level_starts(self) -> Integers:
        """Where each level begins in `order`, and N: [n_levels + 1]."""
        return read_only(offsets(np.bincount(self.levels, minlength=int(self.n_nodes > 0))))

    @property
    def n_levels(self) -> int:
        """The number of levels."""
        return len(self.level_starts) - 1


def read_only(array: Integers) -> Integers:
    """The array, which nobody changes any more."""
    array.setflags(write=False)
    return array
