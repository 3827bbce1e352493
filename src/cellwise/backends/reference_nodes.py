"""The definition of what equations over nodes compute: level by level, op by op in torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from cellwise.backends.base import Direction, NodesBound, NodesFeed, NodesSwept
from cellwise.backends.emit import EMIT
from cellwise.backends.nodes import Integers, Nodes
from cellwise.graph.node import Node
from cellwise.graph.system import SLOTS, Equation
from cellwise.passes.sums import terms

OVER_EDGES = ("sum_children", "sum_parents")


@dataclass(eq=False)
class Place:
    """The rows at which expressions are evaluated, and what is known there.

    Attributes:
        rows: of nodes; of edges if `parents` is given.
        span: the first of the rows of nodes, and the one behind the last.
        parents, children: the nodes at the ends of edges.
        inner: by sum over edges, the edges, and to which row each of them belongs.
        values: by node of an expression.
    """

    rows: Tensor
    span: tuple[int, int] = (0, 0)
    parents: Tensor | None = None
    children: Tensor | None = None
    inner: dict[str, tuple[Place, Tensor]] = field(default_factory=dict)
    values: dict[Node, Tensor] = field(default_factory=dict)


class NodesSweep:
    """One pass of equations over the nodes of a forest."""

    def __init__(self, bound: NodesBound, direction: Direction, feed: NodesFeed, nodes: Nodes):
        compiled = bound.compiled
        self.system = compiled.forward if direction == "forward" else compiled.backward
        self.backward = direction == "backward"
        self.nodes, self.feed, self.n_labels = nodes, feed, bound.n_labels
        self.sizes, self.constants = dict(bound.sizes), dict(bound.constants)
        self.rows: dict[str, Tensor] = dict(feed.rows)
        self.like = feed.like
        self.in_place = not feed.differentiable
        self.fixed = Place(torch.zeros(0, dtype=torch.int64))

    def run(self, keep: Sequence[str]) -> NodesSwept:
        """Compute all nodes; `keep` names the signals to give back."""
        for line in (*self.system.equations, *self.system.leaf):
            count = len(self.nodes.children) if line.index == "n,k" else self.nodes.n_rows
            shape = [size.evaluate(self.sizes) for size in line.value.shape]
            self.rows[line.name] = self.like.new_zeros(count, *shape)
        if not self.backward:
            self._at(self.system.leaf, 0, self.nodes.n_leaves)
        levels = list(pairwise(self.nodes.starts.tolist()))
        for start, stop in reversed(levels) if self.backward else levels:
            self._at(self.system.equations, start, stop)
        if self.backward:
            self._at(self.system.leaf, 0, self.nodes.n_leaves)
        return NodesSwept({name: self.rows[name] for name in keep}, self._totals())

    def _at(self, lines: Sequence[Equation], start: int, stop: int) -> None:
        """Compute the lines at some rows, and at the edges to their children."""
        if start == stop or not lines:
            return
        place = self._rows(start, stop)
        edges: Place | None = None
        for line in lines:
            here = place
            if line.index == "n,k":
                edges = edges or self._edges(self.nodes.below(start, stop)[0])
                here = edges
            value = self.value(line.value, here)
            if not line.value.varies:
                value = value.expand(len(here.rows), *value.shape)
            self._store(line, here, value)

    def _store(self, line: Equation, here: Place, value: Tensor) -> None:
        whole = self.rows[line.name]
        if not self.in_place:
            self.rows[line.name] = whole.index_copy(0, here.rows, value)
        elif here.parents is None:
            whole[here.span[0] : here.span[1]] = value
        else:
            whole.index_copy_(0, here.rows, value)

    def _index(self, rows: Integers) -> Tensor:
        return torch.from_numpy(rows.copy()).to(self.like.device)

    def _rows(self, start: int, stop: int) -> Place:
        rows = torch.arange(start, stop, device=self.like.device)
        return Place(rows, (start, stop))

    def _edges(self, edges: Integers) -> Place:
        return Place(
            self._index(edges),
            parents=self._index(self.nodes.parents[edges]),
            children=self._index(self.nodes.children[edges]),
        )

    def value(self, root: Node, place: Place) -> Tensor:
        """An expression at some rows: [m, ·], or [·] if it is the same at all."""
        for node in _inside(root):
            known = place.values if node.varies else self.fixed.values
            if node in known:
                continue
            if node.operation == "read":
                place.values[node] = self._read(node, place)
            elif node.operation in OVER_EDGES:
                place.values[node] = self._over(node, place)
            elif not node.arguments and node.operation != "labelled":
                self.fixed.values[node] = self._leaf(node)
            elif node.operation == "labelled":
                place.values[node] = self._labelled(node, place)
            else:
                function = EMIT[node.operation](node, self.sizes)
                arguments = [
                    (place.values if a.varies else self.fixed.values)[a] for a in node.arguments
                ]
                known[node] = function(*arguments)
        return (place.values if root.varies else self.fixed.values)[root]

    def _read(self, node: Node, place: Place) -> Tensor:
        name, index = str(node.attributes[0]), str(node.attributes[1])
        rows = self.rows[name]
        if place.parents is not None and place.children is not None:
            ends = {"n": place.parents, "k": place.children}
            return rows.index_select(0, ends.get(index, place.rows))
        if index not in SLOTS:
            start, stop = place.span
            return rows[start:stop]
        found = self._index(self.nodes.neighbour(index)).index_select(0, place.rows)
        there = (found >= 0).reshape(-1, *[1] * (rows.dim() - 1))
        values = rows.index_select(0, found.clamp(min=0))
        return torch.where(there, values, torch.zeros((), dtype=rows.dtype, device=rows.device))

    def _over(self, node: Node, place: Place) -> Tensor:
        """The sum over the edges below each row, or above it."""
        slot = str(node.attributes[0]) if node.attributes else ""
        key = f"{node.operation} {slot}"
        if key not in place.inner:
            if node.operation == "sum_children":
                edges, belongs = self.nodes.below(*place.span)
            else:
                edges, belongs = self.nodes.upward(*place.span, slot)
            place.inner[key] = self._edges(edges), self._index(belongs)
        inner, belongs_to = place.inner[key]
        (argument,) = node.arguments
        value = self.value(argument, inner)
        if not argument.varies:
            value = value.expand(len(inner.rows), *value.shape)
        zeros = value.new_zeros(len(place.rows), *value.shape[1:])
        return zeros.index_add(0, belongs_to, value)

    def _leaf(self, node: Node) -> Tensor:
        if node.operation == "parameter":
            return self.feed.parameters[str(node.attributes[0])]
        if node.operation == "constant":
            number = self.constants[str(node.attributes[0])]
        else:
            number = float(str(node.attributes[0]))
        return torch.tensor(number, dtype=self.like.dtype, device=self.like.device)

    def _labelled(self, node: Node, place: Place) -> Tensor:
        """A parameter by the label of each edge: [m, ·]."""
        labels = self._index(self.nodes.labels).index_select(0, place.rows)
        return self.feed.parameters[str(node.attributes[0])].index_select(0, labels)

    def _totals(self) -> dict[str, Tensor]:
        found = {}
        memo: dict[Node, Tensor] = {}
        for line in self.system.totals:
            found[line.name] = self._closed(line.value, memo)
        return found

    def _closed(self, root: Node, memo: dict[Node, Tensor]) -> Tensor:
        """The value of an expression over totals."""
        stack = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if node in memo:
                continue
            if node.operation in ("total", "total_labelled"):
                memo[node] = self._total(node)
            elif not _holds_total(node):
                memo[node] = self.value(node, self.fixed)
            elif ready:
                function = EMIT[node.operation](node, self.sizes)
                memo[node] = function(*[memo[a] for a in node.arguments])
            else:
                stack.append((node, True))
                stack.extend((a, False) for a in node.arguments)
        return memo[root]

    def _total(self, node: Node) -> Tensor:
        labelled = node.operation == "total_labelled"
        parts: list[Tensor] = []
        for minus, term in terms(node.arguments[0]):
            place, inner = self._whole(term, edges=labelled)
            sums = [self._summed(part, place, labelled=labelled) for part in inner]
            value = sum(-s if less else s for s, (less, _) in zip(sums, inner, strict=True))
            assert isinstance(value, Tensor)
            parts.append(-value if minus else value)
        return sum(parts[1:], parts[0])

    def _whole(self, term: Node, *, edges: bool) -> tuple[Place, list[tuple[bool, Node]]]:
        """All rows that a term of a total is summed over, and the terms at each of them."""
        if term.operation == "sum_children":
            edges, inner = True, terms(term.arguments[0])
        else:
            inner = [(False, term)]
        key = "edges" if edges else "leaves" if _at_leaves(term) else "nodes"
        if key not in self.fixed.inner:
            n_leaves, n_rows = self.nodes.n_leaves, self.nodes.n_rows
            if key == "edges":
                place = self._edges(self.nodes.below(n_leaves, n_rows)[0])
            elif key == "leaves":
                place = self._rows(0, n_leaves)
            else:
                place = self._rows(n_leaves, n_rows)
            self.fixed.inner[key] = place, place.rows
        return self.fixed.inner[key][0], inner

    def _summed(self, part: tuple[bool, Node], place: Place, *, labelled: bool) -> Tensor:
        _, node = part
        if labelled:
            return self._by_label(node, place)
        if not node.varies:
            return self.value(node, place) * len(place.rows)
        if node.operation == "outer" and len(node.arguments) == 2:
            left, right = (self._spread(a, place) for a in node.arguments)
            return left.mT @ right
        if node.operation == "outer":
            vectors = [self._spread(a, place) for a in node.arguments]
            return torch.einsum("ni,nj,nk->ijk", *vectors)
        return self.value(node, place).sum(0)

    def _spread(self, node: Node, place: Place) -> Tensor:
        value = self.value(node, place)
        return value if node.varies else value.expand(len(place.rows), *value.shape)

    def _by_label(self, node: Node, place: Place) -> Tensor:
        """Sums over the edges of each label: [R, ·]."""
        labels = self._index(self.nodes.labels).index_select(0, place.rows)
        count = self.n_labels
        if node.operation == "outer" and len(node.arguments) == 2:
            left, right = (self._spread(a, place) for a in node.arguments)
            picked = [(labels == label).nonzero().squeeze(-1) for label in range(count)]
            pairs = [(left.index_select(0, at), right.index_select(0, at)) for at in picked]
            return torch.stack([a.mT @ b for a, b in pairs])
        value = self._spread(node, place)
        return value.new_zeros(count, *value.shape[1:]).index_add(0, labels, value)


class ReferenceNodes:
    """Plain torch, op by op, level by level."""

    name = "reference"

    def prepared(self, bound: NodesBound, like: Tensor, nodes: Nodes, n_inputs: int) -> None:
        """Nothing can be made ready."""

    def refuses(self, bound: NodesBound, like: Tensor, nodes: Nodes | None = None) -> str:
        """Why it cannot serve a cell: never."""
        return ""

    def saved(self, bound: NodesBound) -> tuple[str, ...]:
        """What its forward keeps for its backward, besides inputs and results."""
        return bound.compiled.saved

    def sweep(
        self,
        bound: NodesBound,
        direction: Direction,
        feed: NodesFeed,
        nodes: Nodes,
        keep: Sequence[str],
    ) -> NodesSwept:
        """Compute the equations at all nodes; `keep` names the signals to give back."""
        return NodesSweep(bound, direction, feed, nodes).run(keep)


def _inside(root: Node) -> Iterable[Node]:
    """The nodes of an expression, arguments first; sums over edges are closed."""
    seen: set[Node] = set()
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if node.operation not in OVER_EDGES:
                stack.extend((a, False) for a in reversed(node.arguments))


def _holds_total(node: Node) -> bool:
    return any(inner.operation in ("total", "total_labelled") for inner in _inside(node))


def _at_leaves(node: Node) -> bool:
    reads = (inner for inner in _inside(node) if inner.operation == "read")
    return any(read.attributes[1] == "leaf" for read in reads)
