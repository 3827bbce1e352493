"""Systems over nodes evaluated as they are written: each value when it is asked for, in numpy.

    trace = evaluate_nodes(system, feed)
    trace.signals["h"], trace.totals["d_W"]  # [N, ·], [·, ·]

There are no levels and no order here, only nodes that ask others, so that it judges both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cellwise.graph.node import Node, walk
from cellwise.graph.system import SLOTS, Equation, System
from tests.evaluate import OPERATE, Array, Feed, Trace, sizes_of


@dataclass(frozen=True)
class Graph:
    """The children of each node; for every edge, in this order, its slot and its label's number."""

    children: Sequence[Sequence[int]] = ()
    slots: Sequence[str] = ()
    labels: Sequence[int] = ()

    @cached_property
    def edges(self) -> list[tuple[int, int]]:
        """Parent and child of every edge."""
        return [(n, k) for n, inner in enumerate(self.children) for k in inner]

    def neighbour(self, node: int, index: str) -> int | None:
        """The child of a node in a slot, or its parent."""
        if index == "parent":
            return next((n for n, k in self.edges if k == node), None)
        pairs = zip(self.edges, self.slots, strict=True) if self.slots else ()
        return next((k for (n, k), slot in pairs if (n, slot) == (node, index)), None)


@dataclass(frozen=True)
class NodesFeed(Feed):
    """What a system over nodes reads: `signals` are [N, ·], of edges [E, ·]; `steps` is N."""

    graph: Graph = field(default_factory=Graph)


Place = tuple[str, int]
"""At a node, an edge or a leaf, and which one; outside of all sums, nowhere."""

NOWHERE = ("", 0)


def evaluate_nodes(system: System, feed: Feed) -> Trace:
    """Evaluate a system over nodes; what a node does not define is zero there."""
    assert isinstance(feed, NodesFeed)
    return _Evaluation(system, feed).run()


class _Evaluation:
    def __init__(self, system: System, feed: NodesFeed):
        self.system, self.feed, self.graph = system, feed, feed.graph
        self.sizes = sizes_of(system, feed)
        self.constants = {**dict(system.constants), **feed.constants}
        self.known: dict[tuple[str, Place], Array] = {}
        self.lines = {e.name: e for e in system.equations}
        self.leaf = {e.name: e for e in system.leaf}

    def run(self) -> Trace:
        signals = {name: np.asarray(array) for name, array in self.feed.signals.items()}
        for name in self.system.defined:
            signals[name] = self.everywhere(name)
        totals = {e.name: self.value(e.value, NOWHERE) for e in self.system.totals}
        return Trace(signals, totals, {})

    def everywhere(self, name: str) -> Array:
        edge = name in self.lines and self.lines[name].index == "n,k"
        shape = [size.evaluate(self.sizes) for size in self.system.shape_of(name)]
        found = np.zeros((len(self.graph.edges) if edge else self.feed.steps, *shape))
        for number in range(len(found)):
            place = ("n,k", number) if edge else self.at(number)
            if self.line(name, place) is not None:
                found[number] = self.signal(name, place)
        return found

    def at(self, node: int) -> Place:
        """A node's place: a leaf, where leaves have lines of their own."""
        leaf = bool(self.leaf) and not self.graph.children[node]
        return ("leaf" if leaf else "n"), node

    def line(self, name: str, place: Place) -> Equation | None:
        return (self.leaf if place[0] == "leaf" else self.lines).get(name)

    def signal(self, name: str, place: Place) -> Array:
        if name in self.feed.signals:
            return np.asarray(self.feed.signals[name][place[1]])
        if (name, place) not in self.known:
            line = self.line(name, place)
            assert line is not None, f"nothing defines {name} at {place}"
            self.known[name, place] = self.value(line.value, place)
        return self.known[name, place]

    def value(self, root: Node, place: Place) -> Array:
        """An expression at a place."""
        memo: dict[Node, Array] = {}
        here = self.outside(root)
        for node in walk([root]):
            if node in here:
                memo[node] = self.node(node, place, memo)
        return memo[root]

    def is_sum(self, node: Node) -> bool:
        return node.operation in ("sum_children", "sum_parents", "total", "total_labelled")

    def outside(self, root: Node) -> set[Node]:
        """What of an expression is evaluated at its own place."""
        seen, stack = {root}, [root]
        while stack:
            node = stack.pop()
            new = {*node.arguments} - seen if not self.is_sum(node) else set()
            seen |= new
            stack += new
        return seen

    def node(self, node: Node, place: Place, memo: dict[Node, Array]) -> Array:
        if self.is_sum(node):
            return self.sum(node, place)
        if not node.arguments:
            return self.written(node, str(node.attributes[0]), place)
        with np.errstate(all="ignore"):
            value = OPERATE[node.operation](node, self.sizes, *[memo[a] for a in node.arguments])
        return np.asarray(value, dtype=np.float64)

    def written(self, node: Node, name: str, place: Place) -> Array:
        """The value of a name or a number."""
        if node.operation == "read":
            return self.read(node, name, str(node.attributes[1]), place)
        if node.operation == "labelled":
            assert place[0] == "n,k"
            return np.asarray(self.feed.parameters[name][self.graph.labels[place[1]]])
        if node.operation == "parameter":
            return np.asarray(self.feed.parameters[name])
        return np.asarray(self.constants[name] if node.operation == "constant" else float(name))

    def read(self, node: Node, name: str, index: str, place: Place) -> Array:
        kind, number = place
        if index in SLOTS:
            assert kind in ("n", "leaf")
            other = self.graph.neighbour(number, index)
            if other is not None:
                return self.signal(name, self.at(other))
            return np.zeros([size.evaluate(self.sizes) for size in node.shape])
        if kind == "n,k" and index in ("n", "k"):
            parent, child = self.graph.edges[number]
            return self.signal(name, self.at(parent if index == "n" else child))
        assert index == kind, f"{name} is read at {index}, at {kind}"
        return self.signal(name, place)

    def sum(self, node: Node, place: Place) -> Array:
        """A sum over edges, nodes or leaves."""
        (body,) = node.arguments
        shape = [size.evaluate(self.sizes) for size in node.shape]
        if node.operation == "total_labelled":
            found = np.zeros((1 + max(self.graph.labels), *shape))
            for edge, label in enumerate(self.graph.labels):
                found[label] += self.value(body, ("n,k", edge))
            return found
        return sum((self.value(body, p) for p in self.places(node, place)), np.zeros(shape))

    def places(self, node: Node, place: Place) -> list[Place]:
        edges = list(enumerate(self.graph.edges))
        if node.operation == "sum_children":
            return [("n,k", e) for e, (n, _) in edges if n == place[1]]
        if node.operation == "sum_parents":
            slot = node.attributes[0]
            above = [e for e, (_, k) in edges if k == place[1]]
            return [("n,k", e) for e in above if not slot or self.graph.slots[e] == slot]
        reads = {n.attributes[1] for n in walk(node.arguments) if n.operation == "read"}
        wanted = "leaf" if "leaf" in reads else "n"
        return [p for p in map(self.at, range(self.feed.steps)) if p[0] == wanted]
