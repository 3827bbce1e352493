"""The trees that `compose` works on: made fit for the cell, their labels turned into classes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from cellwise.brackets import BracketError, Tree, parse
from cellwise.cell import Cell
from cellwise.data.trees_reshape import chained, own_name, reshape
from cellwise.errors import ConfigError, DataError
from cellwise.graph.system import SLOTS
from cellwise.structures.forest import BINARY
from cellwise.tasks.compose_config import ComposeData

NO_CLASS = ""
"""The label of nodes that are neither learnt nor counted."""


def reads_left_and_right(cell: Cell) -> bool:
    """Whether a cell needs binary trees.

    Raises:
        ConfigError: the cell is none over constituent trees.
    """
    if cell.system.structure != "tree":
        raise ConfigError(
            f"model.cell: '{cell.name}' runs over sequences; compose needs a cell over trees, "
            "such as tree_lstm_binary"
        )
    if cell.system.labels:
        raise ConfigError(
            f"model.cell: '{cell.name}' chooses parameters by the label of an edge, "
            "and the trees of compose have none on their edges"
        )
    slots = {index for _, index in cell.system.reads() if index in SLOTS}
    for slot in sorted(slots - set(BINARY)):
        raise ConfigError(
            f"model.cell: '{cell.name}' reads [{slot}], but compose goes from the leaves up "
            "to the root, and children are left and right"
        )
    return bool(slots)


def check_classes(data: ComposeData) -> None:
    """Refuse classes that a tree in brackets cannot show, and poles that are both.

    Raises:
        ConfigError: there is one.
    """
    for label, name in data.classes.items():
        if any(c.isspace() or c in "()" for c in name):
            raise ConfigError(
                f"data.classes: '{name}', the class of '{label}', holds a blank or a bracket; as a "
                "label of a tree in brackets it could not be read again"
            )
    for name in data.positive:
        if name in data.negative:
            raise ConfigError(
                f"data.positive: '{name}' is in data.negative, too; a class is one or the other"
            )


@dataclass(frozen=True)
class Fitting:
    """How trees are made fit.

    Attributes:
        data: what the configuration says of them.
        binary: whether the cell needs binary trees.
    """

    data: ComposeData
    binary: bool

    def shaped(self, tree: Tree) -> Tree:
        """The tree that the network sees, with the labels that it was given.

        Raises:
            DataError: the tree holds traces alone.
        """
        return self._narrowed(self._bare(tree))

    def _bare(self, tree: Tree) -> Tree:
        """The tree without traces, and without tags if they are not wanted."""
        bare = reshape(
            tree, keep_tags=not self.data.strip_tags, keep_unary=True, branching="as_is"
        ).tree
        return Tree(tuple(map(own_name, bare.labels)), bare.words, bare.parents)

    def _narrowed(self, tree: Tree) -> Tree:
        """The tree as the cell needs it."""
        return reshape(
            tree,
            keep_traces=True,
            keep_tags=True,
            keep_unary=not self.binary,
            branching=self.data.branching if self.binary else "as_is",
        ).tree

    def example(self, tree: Tree) -> Tree:
        """The tree that the network sees, with the class of each node, or `NO_CLASS`.

        Raises:
            DataError: the tree holds traces alone.
        """
        bare, classes = self._bare(tree), self.data.classes
        only_root = self.data.labels == "root"
        named = tuple(
            NO_CLASS if node and only_root else classes.get(label, label)
            for node, label in enumerate(bare.labels)
        )
        shaped = self._narrowed(Tree(named, bare.words, bare.parents))
        kept = tuple(
            NO_CLASS if node and (only_root or is_marked(label)) else _class_of(label)
            for node, label in enumerate(shaped.labels)
        )
        return Tree(kept, shaped.words, shaped.parents)


def _class_of(label: str) -> str:
    """What a chain counts as: its nodes without a class do not, and equal ones are one."""
    parts = [part for part in chained(label) if part != NO_CLASS]
    return "+".join(part for part, _ in groupby(parts))


def is_marked(label: str) -> bool:
    """Whether a node is there only to make the tree binary."""
    return label.startswith("@")


def right_branching(words: tuple[str, ...]) -> Tree:
    """The tree over words without any: each word beside all that follow it.

    >>> print(right_branching(("It", "'s", "good")))
    (_ (_ It) (_ (_ 's) (_ good)))
    """
    rows: list[tuple[str | None, int]] = []
    above = -1
    for number, word in enumerate(words):
        if number < len(words) - 1:
            rows.append((None, above))
            above = len(rows) - 1
        rows.append((word, above))
    return Tree(("_",) * len(rows), tuple(w for w, _ in rows), tuple(p for _, p in rows))


def read_line(line: str, number: int) -> tuple[Tree | None, bool]:
    """The tree that a line of input holds, and whether its brackets were given.

    A line that begins with a bracket is a tree; another is a sentence, which becomes a tree that
    branches to the right, its brackets written as in treebanks, `-LRB-`. A blank line is None.

    Raises:
        DataError: the brackets are not those of one tree.
    """
    if not line.strip().startswith("("):
        words = line.replace("(", " -LRB- ").replace(")", " -RRB- ").split()
        return (right_branching(tuple(words)) if words else None), False
    try:
        trees = list(parse([line]))
    except BracketError as error:
        raise DataError(
            f"input {number}, column {error.column}: {error.cause}; "
            "a line that begins with '(' must be a tree in brackets"
        ) from error
    if len(trees) != 1:
        raise DataError(f"input {number}: {len(trees)} trees in a line; give one a line")
    return trees[0], True
