"""Equations over nodes by plain recursion, an operation at a time, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from cellwise.graph.node import Node
from cellwise.graph.system import SLOTS
from cellwise.layers import Recursive
from cellwise.structures.forest import Forest
from tests.evaluate import OPERATE, Array


class Recursion:
    """The signals of all nodes of a forest."""

    def __init__(self, layer: Recursive, x: Tensor, forest: Forest):
        inner = layer.get_submodule("layer0")
        self.system, self.forest = layer.cell.system, forest
        self.sizes: dict[str, int] = inner.sizes  # type: ignore[assignment]
        self.constants = {**layer.cell.constants, **layer.constants}
        self.parameters = {n: p.detach().numpy() for n, p in inner.named_parameters()}
        self.x = x.detach().numpy()
        self.known: dict[int, dict[str, Array]] = {}

    def signals(self, node: int) -> dict[str, Array]:
        """The signals of a node by name; those of an edge by name and edge."""
        if node not in self.known:
            found = self.known[node] = {self.system.inputs[0]: self.x[node]}
            lines = self.system.equations
            if self.system.leaf and not len(self.edges(node)):
                lines = self.system.leaf
            for line in lines:
                if line.index == "n,k":
                    for edge in self.edges(node):
                        found[f"{line.name} {edge}"] = self.value(line.value, node, edge)
                else:
                    found[line.name] = self.value(line.value, node)
        return self.known[node]

    def edges(self, node: int) -> range:
        """The edges to the children of a node."""
        return range(int(self.forest.first[node]), int(self.forest.first[node + 1]))

    def value(self, root: Node, node: int, edge: int = -1) -> Array:
        """An expression at a node, or at an edge of it."""
        memo: dict[Node, Array] = {}

        def value(inner: Node) -> Array:
            if inner not in memo:
                memo[inner] = np.asarray(self.operate(inner, value, node, edge))
            return memo[inner]

        return value(root)

    def operate(self, inner: Node, value: Any, node: int, edge: int) -> Any:
        name = str(inner.attributes[0]) if inner.attributes else ""
        if inner.operation == "read":
            return self.read(name, str(inner.attributes[1]), inner, node, edge)
        if inner.operation == "sum_children":
            parts = [self.value(inner.arguments[0], node, e) for e in self.edges(node)]
            return np.sum([self.zeros(inner), *parts], axis=0)
        if inner.operation == "labelled":
            assert self.forest.relations is not None
            return self.parameters[name][self.forest.relations[edge]]
        if inner.operation == "parameter":
            return self.parameters[name]
        if inner.operation in ("constant", "number"):
            return self.constants[name] if inner.operation == "constant" else float(name)
        with np.errstate(all="ignore"):
            return OPERATE[inner.operation](inner, self.sizes, *map(value, inner.arguments))

    def read(self, name: str, index: str, inner: Node, node: int, edge: int) -> Array:
        if index == "n,k":
            return self.signals(node)[f"{name} {edge}"]
        if index == "k":
            return self.signals(int(self.forest.children[edge]))[name]
        if index in SLOTS:
            other = self.neighbour(index, node)
            return self.zeros(inner) if other < 0 else self.signals(other)[name]
        return self.known[node][name]

    def neighbour(self, index: str, node: int) -> int:
        """The child in a slot, or the parent; -1 if there is none."""
        if index == "parent":
            return int(self.forest.parents[node])
        for edge in self.edges(node):
            assert self.forest.slots is not None
            if self.forest.slot_names[int(self.forest.slots[edge])] == index:
                return int(self.forest.children[edge])
        return -1

    def zeros(self, inner: Node) -> Array:
        return np.zeros([size.evaluate(self.sizes) for size in inner.shape])

    def outputs(self) -> tuple[Array, list[Array]]:
        """The output of every node, and the states where the sweep ends."""
        down = any(index == "parent" for _, index in self.system.reads())
        ends = self.forest.leaves if down else self.forest.roots
        y = [self.signals(node)[self.system.output] for node in range(self.forest.n_nodes)]
        states = self.system.states
        return np.stack(y), [np.stack([self.signals(int(e))[s] for e in ends]) for s in states]
