"""Constituent trees made fit for a network, and back: every step can be undone.

Traces are dropped, function tags stripped, unary chains collapsed into one node (`S+VP`), and wide
nodes made binary by nodes with a mark (`@NP`). Traces and tags are kept beside the tree. The other
steps are undone from the labels alone, so also for trees that a model has labelled; a `+`, a
leading `@` or a backslash of the treebank's own stands behind a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cellwise.brackets import Tree
from cellwise.errors import DataError

TRACE = "-NONE-"
"""The label of an empty element in the Penn Treebank."""

Branching = Literal["right", "left", "as_is"]

_SEPARATOR = re.compile(r"(?<!\\)(?:\\\\)*\+")
_OWN = re.compile(r"[\\+]|^@")
_BEHIND = re.compile(r"\\(.)")
_TAG = re.compile(r"(?<=.)[-=]")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A node that was dropped: its number in the tree, its parent's, label and word."""

    node: int
    parent: int
    label: str
    word: str | None


@dataclass(frozen=True, slots=True)
class Reshaped:
    """A tree made fit, and what `restore` needs besides.

    Attributes:
        tree: the tree.
        tags: what was stripped of the label of each node that is left without the traces, in
            their order; empty if nothing was to be stripped.
        dropped: the traces, and the nodes that held nothing else, in their order.
    """

    tree: Tree
    tags: tuple[str, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def reshape(
    tree: Tree,
    *,
    keep_traces: bool = False,
    keep_tags: bool = False,
    keep_unary: bool = False,
    branching: Branching = "right",
) -> Reshaped:
    """A tree made fit for a network; `restore` gives it back.

    >>> from cellwise.brackets import parse
    >>> tree = next(parse(["(S (NP-SBJ (-NONE- *)) (VP (VB buy) (NP (DT a) (JJ red) (NN hat))))"]))
    >>> reshaped = reshape(tree)
    >>> str(reshaped.tree)
    '(S+VP (VB buy) (NP (DT a) (@NP (JJ red) (NN hat))))'
    >>> restore(reshaped) == tree
    True

    Args:
        tree: the tree, as it was read.
        keep_traces: keep empty elements, and nodes that hold nothing else.
        keep_tags: keep function tags and indices, the `-SBJ-1` of `NP-SBJ-1`.
        keep_unary: keep nodes with one child.
        branching: on which side the marked nodes are: "right" makes (NP a (@NP b c)) of
            (NP a b c), "left" (NP (@NP a b) c). "as_is" makes none.

    Raises:
        DataError: the tree holds traces alone.
    """
    kept, dropped = (tree, ()) if keep_traces else _without_traces(tree)
    stripped: tuple[str, ...] = ()
    if not keep_tags:
        kept, stripped = _without_tags(kept)
    kept = Tree(tuple(escaped(label) for label in kept.labels), kept.words, kept.parents)
    if not keep_unary:
        kept = _collapsed(kept)
    if branching != "as_is":
        kept = _binary(kept, branching)
    return Reshaped(kept, stripped, dropped)


def restore(reshaped: Reshaped) -> Tree:
    """The tree that `reshape` was given.

    Raises:
        DataError: there are not as many tags as nodes.
    """
    tree = expand(reshaped.tree)
    if reshaped.tags and len(reshaped.tags) != len(tree):
        raise DataError(f"the tree has {len(tree)} nodes, but there are {len(reshaped.tags)} tags")
    if reshaped.tags:
        labels = map("".join, zip(tree.labels, reshaped.tags, strict=True))
        tree = Tree(tuple(labels), tree.words, tree.parents)
    return _with_traces(tree, reshaped.dropped) if reshaped.dropped else tree


def expand(tree: Tree) -> Tree:
    """The tree without marked nodes, its unary chains at length; from the labels alone."""
    labels: list[str] = []
    words: list[str | None] = []
    parents: list[int] = []
    ends: list[int] = []
    for label, word, parent in zip(tree.labels, tree.words, tree.parents, strict=True):
        above = ends[parent] if parent >= 0 else -1
        if label.startswith("@") and parent >= 0:
            ends.append(above)
            continue
        for part in chained(label):
            parents.append(above)
            above = len(labels)
            labels.append(own_name(part))
            words.append(None)
        words[above] = word
        ends.append(above)
    return Tree(tuple(labels), tuple(words), tuple(parents))


def escaped(label: str) -> str:
    """A treebank's own label as one that is told from a chain and from a mark."""
    return _OWN.sub(r"\\\g<0>", label)


def own_name(label: str) -> str:
    """The treebank's own label behind an escaped one."""
    return _BEHIND.sub(r"\1", label)


def chained(label: str) -> list[str]:
    """The labels of a unary chain, escaped, that stand joined in one."""
    if "+" not in label:
        return [label]
    parts, start = [], 0
    for found in _SEPARATOR.finditer(label):
        parts.append(label[start : found.end() - 1])
        start = found.end()
    return [*parts, label[start:]]


def _without_traces(tree: Tree) -> tuple[Tree, tuple[Dropped, ...]]:
    n_nodes = len(tree)
    alive = [
        word is not None and label != TRACE
        for label, word in zip(tree.labels, tree.words, strict=True)
    ]
    for node in range(n_nodes - 1, 0, -1):
        if alive[node]:
            alive[tree.parents[node]] = True
    if all(alive):
        return tree, ()
    if not alive[0]:
        raise DataError(f"the tree holds nothing but traces: {tree}")
    kept = [node for node in range(n_nodes) if alive[node]]
    number = {node: i for i, node in enumerate(kept)} | {-1: -1}
    dropped = tuple(
        Dropped(node, tree.parents[node], tree.labels[node], tree.words[node])
        for node in range(n_nodes)
        if not alive[node]
    )
    return Tree(
        tuple(tree.labels[node] for node in kept),
        tuple(tree.words[node] for node in kept),
        tuple(number[tree.parents[node]] for node in kept),
    ), dropped


def _with_traces(tree: Tree, dropped: Sequence[Dropped]) -> Tree:
    there = {gone.node: gone for gone in dropped}
    n_nodes = len(tree) + len(dropped)
    places = [node for node in range(n_nodes) if node not in there]
    rows: list[tuple[str, str | None, int]] = [("", None, -1)] * n_nodes
    for node, gone in there.items():
        rows[node] = gone.label, gone.word, gone.parent
    for node, label, word, parent in zip(
        places, tree.labels, tree.words, tree.parents, strict=True
    ):
        rows[node] = label, word, places[parent] if parent >= 0 else -1
    labels, words, parents = zip(*rows, strict=True)
    return Tree(labels, words, parents)


def _without_tags(tree: Tree) -> tuple[Tree, tuple[str, ...]]:
    """The tree without tags, and the tags; labels like `-LRB-` have none."""
    pairs = []
    for label in tree.labels:
        found = None if label.startswith("-") else _TAG.search(label)
        cut = found.start() if found else len(label)
        pairs.append((label[:cut], label[cut:]))
    labels, tags = zip(*pairs, strict=True)
    return Tree(labels, tree.words, tree.parents), tags


def _collapsed(tree: Tree) -> Tree:
    labels: list[str] = []
    words: list[str | None] = []
    parents: list[int] = []
    n_children = [0] * len(tree)
    for parent in tree.parents[1:]:
        n_children[parent] += 1
    ends: list[int] = []
    for label, word, parent in zip(tree.labels, tree.words, tree.parents, strict=True):
        if parent >= 0 and n_children[parent] == 1:
            ends.append(ends[parent])
            labels[ends[-1]] += f"+{label}"
            words[ends[-1]] = word
            continue
        ends.append(len(labels))
        labels.append(label)
        words.append(word)
        parents.append(ends[parent] if parent >= 0 else -1)
    return Tree(tuple(labels), tuple(words), tuple(parents))


def _binary(tree: Tree, branching: Branching) -> Tree:
    children = tree.children()
    labels: list[str] = []
    words: list[str | None] = []
    parents: list[int] = []
    pending: list[tuple[int, int, int, int]] = [(0, 0, len(children[0]), -1)]
    while pending:
        node, low, high, parent = pending.pop()
        mark = "@" * (high - low < len(children[node]))
        here = len(labels)
        labels.append(mark + tree.labels[node])
        words.append(tree.words[node])
        parents.append(parent)
        for piece in reversed(_halves(low, high, branching)):
            if piece[1] - piece[0] > 1:
                pending.append((node, *piece, here))
            else:
                child = children[node][piece[0]]
                pending.append((child, 0, len(children[child]), here))
    return Tree(tuple(labels), tuple(words), tuple(parents))


def _halves(low: int, high: int, branching: Branching) -> list[tuple[int, int]]:
    """The pieces that a row of children falls into: one child, and the others."""
    if high - low < 2:
        return [(low, high)] * (high - low)
    middle = low + 1 if branching == "right" else high - 1
    return [(low, middle), (middle, high)]
