"""Batches of trees and other acyclic graphs, as integer arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from cellwise.brackets import BracketError, Tree, from_nltk, parse
from cellwise.errors import StructureError
from cellwise.structures import forest_build
from cellwise.structures.forest_build import Wiring
from cellwise.structures.forest_checks import (
    check_slot_names,
    check_slots,
    checked_tree,
    listed,
    place_of,
    whole_numbers,
)
from cellwise.structures.forest_graphs import Graphs, read_only
from cellwise.structures.forest_levels import (
    Integers,
    by_value,
    offsets,
    ranges,
    readers_of,
    turned,
)
from cellwise.structures.forest_relations import Given, Known, Relations, named

BINARY = ("left", "right")
"""The slots of binary trees."""


@dataclass(frozen=True, eq=False, repr=False)
class Forest(Graphs):
    """A batch of trees or other acyclic graphs. Made by the `from_` methods, `chain` or `grid`.

    Nodes are numbered from 0 over the whole batch: trees in the order given, nodes within a tree in
    the order given. An edge leads from a node to a child whose state the node reads. All arrays are
    int64 and read-only.

    >>> forest = Forest.from_brackets(["(3 (2 It) (4 (2 's) (4 good)))"])
    >>> forest
    Forest(1 tree, 5 nodes)
    >>> forest.words
    (None, 'It', None, "'s", 'good')
    >>> forest.levels.tolist(), forest.parents.tolist()
    ([2, 0, 1, 0, 0], [-1, 0, 0, 2, 2])

    The arrays, and what follows from them (`parents`, `roots`, `leaves`, `levels`, `order`, …), are
    described at `Graphs`.
    """

    @classmethod
    def from_brackets(cls, lines: str | Iterable[Any]) -> Forest:
        """Trees in brackets, in the style of the Penn or the Sentiment Treebank.

        The root comes first, and nodes are numbered as they open. `(DT the)` is one node, a leaf
        with a word. An outer bracket without a label, as in `( (S …) )`, is dropped.

        Args:
            lines: a text or its lines; a tree may take several. Or trees that nltk or
                `cellwise.data.trees` has read.

        Raises:
            StructureError: the brackets are no trees; it names tree, line and column.
        """
        items = lines.split("\n") if isinstance(lines, str) else listed(lines, "the lines of trees")
        trees: list[Tree] = []
        try:
            if all(isinstance(item, str) for item in items):
                trees += parse(items)
            else:
                trees += (
                    item if isinstance(item, Tree) else from_nltk(checked_tree(item, number))
                    for number, item in enumerate(items)
                )
        except BracketError as error:
            raise StructureError(f"tree {len(trees)}: {error}") from error
        return cls._of(forest_build.of_parents([tree.parents for tree in trees]), trees=trees)

    @classmethod
    def from_parents(
        cls,
        lists: Iterable[Any],
        *,
        relations: Iterable[Any] | None = None,
        relation_names: Known = None,
    ) -> Forest:
        """Trees given by the parent of each node, counted within the tree; -1 for the root.

        The children of a node are in the order of their numbers.

        Args:
            lists: a list, array or tensor of whole numbers for each tree.
            relations: the label of the edge above each node, in the same form, as names or as
                whole numbers. What stands for a root is not read.
            relation_names: all names that there are, or how many numbers; else those that occur.

        Raises:
            StructureError: circles, no root or a second one, bad numbers, an empty tree; it names
                tree and node.

        >>> Forest.from_parents([[1, -1, 1], [-1]]).children.tolist()
        [0, 2]
        """
        wiring = forest_build.of_parents(lists)
        return cls._of(wiring, relations=_above(wiring, relations, relation_names))

    @classmethod
    def from_children(
        cls,
        lists: Iterable[Any],
        *,
        relations: Iterable[Any] | None = None,
        relation_names: Known = None,
    ) -> Forest:
        """Trees given by the list of each node's children, counted within the tree.

        Args:
            lists: for each tree a list that holds a list of whole numbers for each node.
            relations: the label of the edge above each node, as for `from_parents`.
            relation_names: as for `from_parents`.

        Raises:
            StructureError: as for `from_parents`, and for a node with two parents.

        >>> Forest.from_children([[[], [2, 0], []]]).children.tolist()
        [2, 0]
        """
        wiring = forest_build.of_children(lists)
        return cls._of(wiring, relations=_above(wiring, relations, relation_names))

    @classmethod
    def chain(cls, lengths: Any) -> Forest:
        """Sequences as unary trees: node t has the child t - 1, and the last is the root.

        Raises:
            StructureError: a length is not 1 at least.

        >>> Forest.chain([3, 1]).children.tolist()
        [0, 1]
        """
        return cls._of(forest_build.of_chains(lengths))

    @classmethod
    def grid(cls, shapes: Iterable[Any]) -> Forest:
        """Grids, given by their rows and columns: a node reads those to its left and above it.

        Nodes are numbered row by row; the slots are called `left` and `up`.

        Raises:
            StructureError: a shape is not two whole numbers of 1 at least.

        >>> Forest.grid([(2, 2)]).children.tolist()
        [0, 0, 2, 1]
        """
        return cls._of(forest_build.of_grids(shapes), ("left", "up"))

    @classmethod
    def from_edges(
        cls,
        n: Any,
        edges: Any,
        *,
        slots: Sequence[str] = (),
        relations: Iterable[Any] | None = None,
        relation_names: Known = None,
    ) -> Forest:
        """Acyclic graphs; a node may be the child of several, and there may be several roots.

        Args:
            n: the nodes of the graph; or a list of them, for several graphs.
            edges: its edges (node, child), or (node, child, slot); or a list of such lists.
            slots: the names of the slots, of which each holds one child of a node or none.
                Without, the children of a node are a set.
            relations: the label of each edge, in the order of the edges, as names or as whole
                numbers; or a list of such lists.
            relation_names: all names that there are, or how many numbers; else those that occur.

        Raises:
            StructureError: circles, bad numbers, unknown slots, a second child in one; it names
                tree and node.

        >>> Forest.from_edges(3, [(2, 0, "a"), (2, 1, "b"), (1, 0, "a")], slots=("a", "b"))
        Forest(1 tree, 3 nodes, slots a and b)
        """
        names = check_slot_names(slots)
        if not isinstance(n, Sequence) and np.ndim(n) == 0:
            n, edges, relations = [n], [edges], None if relations is None else [relations]
        wiring = forest_build.of_edges(n, edges, names)
        if relations is None:
            return cls._of(wiring, names)
        given = Given("edge", np.diff(wiring.first[wiring.bounds]))
        labels = named(relations, given, relation_names)
        order = wiring.given
        return cls._of(wiring, names, relations=replace(labels, numbers=labels.numbers[order]))

    @classmethod
    def _of(
        cls,
        wiring: Wiring,
        slot_names: tuple[str, ...] = (),
        *,
        relations: Relations | None = None,
        trees: Sequence[Tree] = (),
    ) -> Forest:
        labels = relations or Relations(np.zeros(0, np.int64), 0)
        forest = cls(
            wiring.bounds,
            wiring.first,
            wiring.children,
            wiring.slots,
            slot_names,
            None if relations is None else labels.numbers,
            labels.n_relations,
            labels.names,
            tuple(chain.from_iterable(tree.words for tree in trees)),
            tuple(chain.from_iterable(tree.labels for tree in trees)),
        )
        return forest._knowing(wiring.levels, wiring.depths)

    def _knowing(self, levels: Integers | None, depths: Integers | None) -> Forest:
        """The same forest; what is known of its levels is not worked out again."""
        for name, found in {"levels": levels, "depths": depths}.items():
            if found is not None:
                self.__dict__[name] = read_only(found)
        return self

    @classmethod
    def concat(cls, forests: Iterable[Forest]) -> Forest:
        """The trees of several forests, one after another; words and labels where all have them.

        Raises:
            StructureError: there are none, or their slots or relations differ.
        """
        forests = listed(forests, "the forests")
        if not forests:
            raise StructureError("there are no forests to put together")
        for number, forest in enumerate(forests):
            if not isinstance(forest, Forest):
                raise StructureError(f"forest {number} is a {type(forest).__name__}, no Forest")
            _check_same_names(forest, forests[0], number)
        bases = offsets(np.array([forest.n_nodes for forest in forests]))
        pairs = list(zip(forests, bases, strict=False))
        with_words = all(forest.words for forest in forests if forest.n_nodes)
        with_labels = all(forest.labels for forest in forests if forest.n_nodes)
        first: Forest = forests[0]
        return replace(
            first,
            bounds=np.append(np.concatenate([f.bounds[:-1] + b for f, b in pairs]), bases[-1]),
            first=offsets(np.concatenate([forest.n_children for forest in forests])),
            children=np.concatenate([forest.children + base for forest, base in pairs]),
            slots=_joined([forest.slots for forest in forests]),
            relations=_joined([forest.relations for forest in forests]),
            words=tuple(chain.from_iterable(f.words for f in forests if with_words)),
            labels=tuple(chain.from_iterable(f.labels for f in forests if with_labels)),
        )

    def select(self, trees: Any) -> Forest:
        """The forest of these trees, in this order; a tree may come twice.

        Args:
            trees: the numbers of the trees: a list, array or tensor.

        Raises:
            StructureError: there is no such tree.
        """
        chosen = whole_numbers(trees, "the trees")
        for number in chosen[(chosen < 0) | (chosen >= self.n_trees)][:1]:
            raise StructureError(
                f"there is no tree {number}; the forest has {self.n_trees}, counted from 0"
            )
        starts, ends = self.bounds[chosen], self.bounds[chosen + 1]
        bounds = offsets(ends - starts)
        nodes = ranges(starts, ends - starts)
        n_edges = self.first[ends] - self.first[starts]
        edges = ranges(self.first[starts], n_edges)
        pieces = list(zip(starts.tolist(), ends.tolist(), strict=True))
        forest = replace(
            self,
            bounds=bounds,
            first=offsets(self.n_children[nodes]),
            children=self.children[edges] + np.repeat(bounds[:-1] - starts, n_edges),
            slots=None if self.slots is None else self.slots[edges],
            relations=None if self.relations is None else self.relations[edges],
            words=tuple(chain.from_iterable(self.words[a:b] for a, b in pieces)),
            labels=tuple(chain.from_iterable(self.labels[a:b] for a, b in pieces)),
        )
        return forest._knowing(self.levels[nodes], self.depths[nodes])

    def binary(self) -> Forest:
        """The same trees, their children in the slots `left` and `right`.

        Raises:
            StructureError: a node has another number of children than none or two; it names the
                first such tree and node. Or the children are in slots of other names.
        """
        if self.slot_names == BINARY:
            return self
        if self.slot_names:
            raise StructureError(
                f"the children are in the slots {' and '.join(self.slot_names)} already; "
                "Forest.from_edges(..., slots=('left', 'right')) names them otherwise"
            )
        for node in np.flatnonzero((self.n_children != 0) & (self.n_children != 2))[:1]:
            found = "1 child" if self.n_children[node] == 1 else f"{self.n_children[node]} children"
            raise StructureError(
                f"{place_of(node, self.sizes)}: has {found}; in a binary tree every inner node has "
                "two (cellwise.data.trees_reshape.reshape makes trees binary)"
            )
        slots = np.tile([0, 1], len(self.children) // 2)
        forest = replace(self, slots=slots, slot_names=BINARY)
        return forest._knowing(self.levels, self.depths)

    def reversed(self, *, keep_slots: bool = True) -> Forest:
        """The same nodes with every edge turned round: for cells that run from the roots down.

        A node's children are its parents, in the order of their numbers. Edges keep slots and
        relations: the root's left child finds the root in its slot `left`.

        Args:
            keep_slots: False: without slots, as it must be where two nodes share a child in the
                same slot.

        Raises:
            StructureError: a node would hold two others in one slot.
        """
        order = by_value(self.children)
        children, first = turned(self.children, self.first)
        slots, names = (self.slots, self.slot_names) if keep_slots else (None, ())
        if slots is not None:
            slots = slots[order]
            check_slots(readers_of(first), children, slots, names, self.sizes)
        forest = replace(
            self,
            first=first,
            children=children,
            slots=slots,
            slot_names=names,
            relations=None if self.relations is None else self.relations[order],
        )
        return forest._knowing(self.depths, self.levels)

    def __repr__(self) -> str:
        """The numbers of trees and nodes, and the slots."""
        slots = f", slots {' and '.join(self.slot_names)}" if self.slot_names else ""
        relations = f", {self.n_relations} relation{'s' * (self.n_relations != 1)}"
        relations *= self.relations is not None
        trees = f"{self.n_trees} tree{'s' * (self.n_trees != 1)}"
        nodes = f"{self.n_nodes} node{'s' * (self.n_nodes != 1)}"
        return f"Forest({trees}, {nodes}{slots}{relations})"


def _above(wiring: Wiring, relations: Iterable[Any] | None, known: Known) -> Relations | None:
    """The labels of a tree's edges, given for the nodes below them."""
    if relations is None:
        return None
    unread = np.bincount(wiring.children, minlength=len(wiring.first) - 1) == 0
    labels = named(relations, Given("node", np.diff(wiring.bounds), unread), known)
    return replace(labels, numbers=labels.numbers[wiring.children])


def _check_same_names(forest: Forest, one: Forest, number: int) -> None:
    if forest.n_nodes and one.n_nodes and (forest.relations is None) != (one.relations is None):
        having, lacking = (number, 0) if one.relations is None else (0, number)
        raise StructureError(f"forest {having} has relations, but forest {lacking} has none")
    for name in ("slot_names", "n_relations", "relation_names"):
        if getattr(forest, name) != getattr(one, name):
            raise StructureError(
                f"forest {number}: {name} is {getattr(forest, name)}, "
                f"but of forest 0 it is {getattr(one, name)}"
            )


def _joined(arrays: Sequence[Integers | None]) -> Integers | None:
    found = [array for array in arrays if array is not None]
    return np.concatenate(found) if len(found) == len(arrays) else None
