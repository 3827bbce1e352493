"""Hypothesis strategies for trees and graphs, and plain recursive readings to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from cellwise.brackets import Tree

LABELS = ("S", "NP-SBJ-1", "VP", "NP=2", "-NONE-", "-LRB-", "A+B", "@X", "\\", "+", "@", "a\\+b")
WORDS = ("it", "'s", "8\xa01\\/2", "*T*-1", "été", "@", "+")


@st.composite
def parent_lists(draw: st.DrawFn, max_nodes: int = 20) -> list[int]:
    """The parents of a tree's nodes, numbered in any order; -1 for the root."""
    n_nodes = draw(st.integers(1, max_nodes))
    above = [-1, *(draw(st.integers(0, node - 1)) for node in range(1, n_nodes))]
    number = draw(st.permutations(range(n_nodes)))
    parents = [-1] * n_nodes
    for node, parent in enumerate(above):
        parents[number[node]] = number[parent] if parent >= 0 else -1
    return parents


@st.composite
def graphs(draw: st.DrawFn, max_nodes: int = 12) -> tuple[int, list[tuple[int, int]]]:
    """The number of nodes of an acyclic graph, numbered in any order, and its edges."""
    n_nodes = draw(st.integers(1, max_nodes))
    number = draw(st.permutations(range(n_nodes)))
    pairs = st.tuples(st.integers(0, n_nodes - 1), st.integers(0, n_nodes - 1))
    chosen = draw(st.lists(pairs.filter(lambda pair: pair[0] > pair[1]), unique=True, max_size=30))
    return n_nodes, [(number[node], number[child]) for node, child in chosen]


@st.composite
def constituents(draw: st.DrawFn, max_nodes: int = 20) -> Tree:
    """A constituent tree, labels with marks of every kind among them."""
    n_nodes = draw(st.integers(1, max_nodes))
    parents, spine = [-1], [0]
    for node in range(1, n_nodes):
        spine = spine[: draw(st.integers(1, len(spine)))]
        parents.append(spine[-1])
        spine.append(node)
    labels = draw(st.lists(st.sampled_from(LABELS), min_size=n_nodes, max_size=n_nodes))
    inner = set(parents)
    words = [None if node in inner else draw(st.sampled_from(WORDS)) for node in range(n_nodes)]
    return Tree(tuple(labels), tuple(words), tuple(parents))


def listed(array: NDArray[np.int64] | None) -> list[int]:
    """The numbers of an array that is there."""
    assert array is not None
    return [int(number) for number in array]


def height(node: int, children: Sequence[Sequence[int]]) -> int:
    """The height of a node above the lowest leaf below it."""
    return max((1 + height(child, children) for child in children[node]), default=0)
