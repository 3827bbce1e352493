"""Random cells over nodes with random forests, and their folds as functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor
from torch.func import functional_call

from cellwise import cells
from cellwise.cell import Cell
from cellwise.graph.system import SLOTS
from cellwise.layers import Recursive
from cellwise.structures.forest import Forest
from tests.conftest import LONG_RUN
from tests.forests import parent_lists
from tests.laws.generate import tree_texts
from tests.laws.networks import gradients

BINARY, GRID = ("left", "right"), ("left", "up")
N_RELATIONS = 3
ONE_SIZE = ("recursive", "rntn")
"""Cells of the zoo whose leaves are the input itself."""

SAMPLES = {
    "labels and slots": """
        h[n] = tanh(U @ x[n] + A @ h[left] + sum(W[r] @ (h[k] * x[n]) for k in n))""",
    "edges twice": """
        f[n,k] = sigmoid(U @ x[n] + W @ h[k] + b)
        g[n,k] = f[n,k] * tanh(V @ h[k] + x[n])
        c[n] = sum(g[n,k] + f[n,k] * c[k] for k in n) + A @ x[n]
        h[n] = tanh(c[n]) + sum(f[n,k] * h[k] for k in n)""",
    "gates by label": """
        f[n,k] = sigmoid(W[r] @ h[k] + v[r] * x[n] + b)
        h[n] = tanh(U @ x[n] + sum(f[n,k] * h[k] for k in n))""",
    "leaves and edges": """
        h[leaf] = tanh(V @ x[leaf])
        c[leaf] = x[leaf] * h[leaf]
        f[n,k] = sigmoid(W @ h[k] + U @ x[n])
        c[n] = sum(f[n,k] * c[k] for k in n)
        h[n] = tanh(c[n] + A @ h[left] + B @ c[right])""",
    "leaves and products of children": """
        h[leaf] = tanh(E @ x[leaf])
        h[n] = tanh(sum(W @ h[k] + A @ (B @ h[k]) for k in n))""",
    "gates of leaves and of edges": """
        h[leaf] = sigmoid(C @ x[leaf]) * tanh(D @ x[leaf])
        f[n,k] = sigmoid(A @ h[k])
        h[n] = tanh(sum(f[n,k] * (B @ h[k]) for k in n))""",
    "one gate of leaves": """
        h[leaf] = sigmoid(C @ x[leaf]) * x[leaf]
        f[n,k] = sigmoid(A @ h[k])
        h[n] = tanh(sum(f[n,k] * (B @ h[k]) for k in n))""",
    "inputs of children": """
        h[leaf] = C @ x[leaf]
        h[n] = tanh(sum(sigmoid(h[k] + b) for k in n) + sum(tanh(C @ x[k]) for k in n))""",
    "scalars": """
        a[n,k] = dot(x[n], h[k])
        s[n] = sum(sigmoid(a[n,k]) for k in n) + mean(x[n])
        h[n] = tanh(U @ x[n] + sum(a[n,k] * h[k] for k in n) * s[n])""",
    "the output is no state": """
        c[n] = tanh(U @ x[n] + sum(W @ c[k] for k in n))
        y[n] = V @ (c[n] * c[n]) + b""",
    "counts": "h[n] = tanh(U @ x[n] + sum(b for k in n)) + 0.5 * sum(h[k] for k in n)",
}
"""Cells that use what the generator does not write."""
DOWN = "h[n] = tanh(U @ x[n] + W @ h[parent] + b)"

NAMES = cells.names("tree")
SETS = ("tree_lstm", "tree_gru", "dependency")
"""Cells whose children are in no order."""
SOURCES = (*NAMES, *SAMPLES.values(), DOWN)
BACKENDS = pytest.mark.parametrize("backend", ["reference", "auto"])
EVERY = pytest.mark.parametrize("name", NAMES)
few = settings(max_examples=settings().max_examples if LONG_RUN else 8)
"""For laws that are tried for cell after cell."""


@dataclass(frozen=True)
class Grove:
    """A cell with a forest and numbers: prints so that it can be pasted into a test.

    Attributes:
        source: the text of a cell, or its name in the zoo.
        n_nodes: of each tree.
        edges: of each tree: (node, child), or (node, child, slot).
        slots: the names of the slots.
        seed: of all arrays.
        sizes: I and H, where the equations leave them free.
    """

    source: str
    n_nodes: tuple[int, ...]
    edges: tuple[tuple[tuple[Any, ...], ...], ...]
    slots: tuple[str, ...] = ()
    seed: int = 0
    sizes: tuple[int, int] = (2, 3)

    def __repr__(self) -> str:
        quoted = f'"""\n{self.source}\n"""'
        rest = (self.n_nodes, self.edges, self.slots, self.seed, self.sizes)
        return f"Grove({quoted}, {', '.join(map(repr, rest))})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    @cached_property
    def cell(self) -> Cell:
        """The cell."""
        return cells.get(self.source) if self.source in cells.names() else Cell(self.source)

    @cached_property
    def forest(self) -> Forest:
        """The forest, its edges labelled at random if the cell reads labels."""
        found = Forest.from_edges(self.n_nodes, self.edges, slots=self.slots)
        if not self.cell.system.labels:
            return found
        labels = np.random.default_rng(self.seed).integers(0, N_RELATIONS, len(found.children))
        return replace(found, relations=labels, n_relations=N_RELATIONS)

    @property
    def dimensions(self) -> tuple[int, int]:
        """I and H."""
        system = self.cell.system
        shape_in, shape_out = (system.shape_of(n) for n in (system.inputs[0], system.output))
        size_in, size_out = self.sizes[0], self.sizes[1] if shape_out else 1
        return (size_out, size_out) if shape_in == shape_out else (size_in, size_out)

    def layer(self, backend: Any = "auto", **options: Any) -> Recursive:
        """A layer in float64 with random parameters."""
        layer = Recursive(
            self.cell,
            *self.dimensions,
            n_relations=N_RELATIONS,
            backend=backend,
            dtype=torch.float64,
            **options,
        )
        generator = torch.Generator().manual_seed(self.seed)
        with torch.no_grad():
            for weight in layer.parameters():
                fan = max(weight.shape[-1:].numel(), 1)
                weight.copy_(torch.randn(weight.shape, generator=generator) / fan**0.5)
        return layer

    @cached_property
    def x(self) -> Tensor:
        """The input, [N, I]."""
        generator = torch.Generator().manual_seed(self.seed + 1)
        shape = (self.forest.n_nodes, self.dimensions[0])
        return torch.randn(shape, generator=generator, dtype=torch.float64)


def _edges_of(parents: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((parent, node) for node, parent in enumerate(parents) if parent >= 0)


@st.composite
def shapes(draw: DrawFn, *, trees: bool = False) -> tuple[int, tuple[tuple[int, int], ...]]:
    """The nodes and edges (node, child) of one tree or graph, numbered in any order."""
    kinds = ["any", "single", "chain", "star", "comb"] + ["graph"] * (not trees)
    kind, n_nodes = draw(st.sampled_from(kinds)), draw(st.integers(2, 12))
    number = draw(st.permutations(range(n_nodes)))
    if kind == "single":
        return 1, ()
    if kind == "any":
        parents = draw(parent_lists(12))
        return len(parents), _edges_of(parents)
    above = {"chain": lambda n: n - 1, "star": lambda n: 0, "comb": lambda n: n - 1 - (n - 1) % 2}
    pairs = [(above[kind](node), node) for node in range(1, n_nodes)] if kind in above else []
    if kind == "graph":
        every = [(a, b) for a in range(n_nodes) for b in range(a + 1, n_nodes)]
        pairs = draw(st.lists(st.sampled_from(every), unique=True, max_size=25))
    return n_nodes, tuple((number[node], number[child]) for node, child in pairs)


@st.composite
def slotted(draw: DrawFn, slots: tuple[str, ...]) -> tuple[int, tuple[tuple[int, int, str], ...]]:
    """A graph in which each slot of a node holds another one or none; a node may fill several."""
    n_nodes = draw(st.integers(1, 10))
    number = draw(st.permutations(range(n_nodes)))
    edges = []
    for node in range(1, n_nodes):
        for slot in slots:
            child = draw(st.integers(-1, node - 1))
            if child >= 0:
                edges.append((number[node], number[child], slot))
    return n_nodes, tuple(edges)


@st.composite
def binary(draw: DrawFn) -> tuple[int, tuple[tuple[int, int, str], ...]]:
    """A tree whose inner nodes have a left and a right child."""
    leaves, edges, n_nodes = [0], list[tuple[int, int, str]](), 1
    for _ in range(draw(st.integers(0, 6))):
        node = leaves.pop(draw(st.integers(0, len(leaves) - 1)))
        edges += [(node, n_nodes, "left"), (node, n_nodes + 1, "right")]
        leaves += [n_nodes, n_nodes + 1]
        n_nodes += 2
    number = draw(st.permutations(range(n_nodes)))
    return n_nodes, tuple((number[a], number[b], slot) for a, b, slot in edges)


def slots_of(cell: Cell) -> tuple[str, ...]:
    """The slots that a forest must have for a cell."""
    named = {index for _, index in cell.system.reads()} & set(SLOTS)
    return GRID if "up" in named else BINARY if named & set(BINARY) else ()


@st.composite
def groves(draw: DrawFn, source: str = "", *, fewest: int = 1, trees: bool = False) -> Grove:
    """A cell, random if none is named, with a forest that it can be folded over."""
    text = source or draw(st.one_of(tree_texts(2, 1), st.sampled_from(list(SAMPLES.values()))))
    empty = Grove(text, (), ())
    slots = slots_of(empty.cell)
    one: st.SearchStrategy[Any] = shapes(trees=trees or "parent" in text)
    if slots:
        one = slotted(slots) if slots == GRID else st.one_of(binary(), slotted(slots))
    drawn = draw(st.lists(binary() if trees and slots else one, min_size=fewest, max_size=4))
    n_nodes, edges = zip(*drawn, strict=True)
    sizes = draw(st.tuples(st.integers(1, 3), st.integers(1, 4)))
    return replace(
        empty,
        n_nodes=n_nodes,
        edges=edges,
        slots=slots,
        seed=draw(st.integers(0, 9999)),
        sizes=sizes,
    )


def example(source: str) -> Grove:
    """A cell with two trees and, where children are shared, a graph: small, but with everything."""
    grove = Grove(source, (), (), sizes=(2, 2), seed=3)
    named = {index for _, index in grove.cell.system.reads()}
    tree: list[tuple[Any, ...]] = [(4, 0), (4, 3), (3, 1), (3, 2)]
    slots: tuple[str, ...] = ()
    if named & {"left", "right", "up"}:
        slots = ("left", "up" if "up" in named else "right")
        tree = [(*edge, slots[place % 2]) for place, edge in enumerate(tree)]
    graph = [(2, 0, *slots[:1]), (2, 1, *slots[1:]), (1, 0, *slots[:1])]
    edges = (tuple(tree), () if "parent" in named else tuple(graph), ())
    return replace(grove, n_nodes=(5, 3 if edges[1] else 1, 1), edges=edges, slots=slots)


def outputs(layer: Recursive, x: Tensor, forest: Forest) -> list[Tensor]:
    """The output of every node, and the states at the ends."""
    y, state = layer(x, forest)
    return [y, *state]


def all_gradients(
    layer: Recursive, x: Tensor, forest: Forest, mixes: Sequence[Tensor]
) -> list[Tensor]:
    """What cotangents of the outputs send to the input and the parameters."""
    x = x.detach().clone().requires_grad_()
    return gradients(outputs(layer, x, forest), mixes, [x, *layer.parameters()])


def function_of(layer: Recursive, forest: Forest) -> tuple[Any, list[Tensor]]:
    """The fold as a function of the input and the parameters, and the parameters."""
    names = list(dict(layer.named_parameters()))

    def function(x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        y, state = functional_call(layer, dict(zip(names, weights, strict=True)), (x, forest))
        return (y, *state)

    return function, [weight.detach() for weight in layer.parameters()]
