"""Lift: what of an edge depends on one of its ends alone is computed there, once a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from cellwise.autodiff.derivative import Names, names_of
from cellwise.graph.build import add, read, remake
from cellwise.graph.node import Node, rewrite, walk
from cellwise.graph.system import Equation, System
from cellwise.passes.share import has_product
from cellwise.passes.sums import Term, sum_of, terms, whole_sums

Pick = Callable[[Node], bool]


def lift(system: System, *, above: bool = False) -> System:
    """The system with products of one end of an edge as equations of nodes.

    `f[n,k] = sigmoid(U @ x[n] + W @ h[k] + b)` becomes `f[n,k] = sigmoid(f_1[n] + f_2[k])` with
    `f_1[n] = U @ x[n] + b` and `f_2[n] = W @ h[n]`: a node's product is computed once however many
    edges it has, and what is left of the edge is element by element.

    Args:
        system: over nodes.
        above: nodes have one parent at most, so that the label of an edge is that of the child:
            `W[r] @ h[k]` is a product of the child, too.
    """
    lifter = _Lifter(system, above=above)
    for line in system.equations:
        lifter.line(line)
    return replace(
        system,
        equations=(*lifter.lines, *lifter.late),
        leaf=(*system.leaf, *lifter.late_leaf),
    )


class _Lifter:
    def __init__(self, system: System, *, above: bool):
        self._ends = _Ends(above=above)
        self.names: Names = names_of(system)
        self.system = system
        self.lines: list[Equation] = []
        self.late: list[Equation] = []
        self.late_leaf: list[Equation] = []
        self.found: dict[Node, Node] = {}

    def line(self, line: Equation) -> None:
        """Add a line, and ahead of it what it lifts."""
        value = line.value
        if line.index == "n,k":
            value = self.edge(value, line.name)
        else:
            memo: dict[Node, Node] = {}
            for node in walk([value]):
                if node.operation == "sum_children":
                    memo[node] = remake(node, [self.edge(node.arguments[0], line.name)])
            (value,) = rewrite([value], lambda n, inner: memo.get(n) or remake(n, inner), {})
        self.lines.append(replace(line, value=value))

    def edge(self, value: Node, user: str) -> Node:
        """An expression of an edge, with its products of one end read from there."""
        for pick in (self._ends.at_parent, self._ends.at_child):
            value = _gathered(value, pick)
            for node in _largest([value], pick):
                if node not in self.found:
                    self.found[node] = self._name(node, user)
            (value,) = rewrite([value], self._read_there, {})
        return value

    def _read_there(self, node: Node, arguments: tuple[Node, ...]) -> Node:
        return self.found.get(node) or remake(node, arguments)

    def _name(self, node: Node, user: str) -> Node:
        name = self.names.numbered(user)
        if self._ends.at_parent(node):
            self.lines.append(Equation(name, "n", node))
            return read(name, "n", node.shape)
        self.late.append(Equation(name, "n", _moved(node, "n")))
        if self.system.leaf:
            self.late_leaf.append(Equation(name, "leaf", _moved(node, "leaf")))
        return read(name, "k", node.shape)


class _Ends:
    """At which end of an edge an expression reads."""

    def __init__(self, *, above: bool):
        self._of_labels = "k" if above else "n,k"

    def at_parent(self, node: Node) -> bool:
        """Whether it reads of the parent alone."""
        return self._of(node) == {"n"}

    def at_child(self, node: Node) -> bool:
        """Whether it reads of the child alone."""
        return self._of(node) == {"k"}

    def _of(self, node: Node) -> set[str]:
        found = set()
        for inner in walk([node]):
            if inner.operation == "read":
                found.add(str(inner.attributes[1]))
            elif inner.operation == "labelled":
                found.add(self._of_labels)
        return found


def _gathered(value: Node, pick: Pick) -> Node:
    """An expression whose sums have the terms of one end side by side."""
    sums = whole_sums([value])

    def step(node: Node, arguments: tuple[Node, ...]) -> Node:
        whole = remake(node, arguments)
        return _apart(whole, pick) if node in sums else whole

    return rewrite([value], step, {})[0]


def _moved(node: Node, index: str) -> Node:
    def step(inner: Node, arguments: tuple[Node, ...]) -> Node:
        if inner.operation == "read":
            return read(str(inner.attributes[0]), index, inner.shape)
        return remake(inner, arguments)

    return rewrite([node], step, {})[0]


def _largest(roots: Iterable[Node], pick: Pick) -> list[Node]:
    """The largest parts that `pick` takes and that hold a product."""
    parts, stack = [], list(roots)
    while stack:
        node = stack.pop()
        if not node.varies or not node.arguments:
            continue
        if pick(node) and has_product(node) and len(node.shape) < 2:
            parts.append(node)
        else:
            stack.extend(reversed(node.arguments))
    return parts


def _apart(whole: Node, pick: Pick) -> Node:
    """A sum with the terms of one end first, and what is fixed with them, if they multiply."""
    own: list[Term] = []
    fixed: list[Term] = []
    rest: list[Term] = []
    for term in terms(whole):
        if not term[1].varies:
            fixed.append(term)
        else:
            (own if pick(term[1]) else rest).append(term)
    if not rest or not any(has_product(node) for _, node in own):
        return whole
    return add(sum_of([*own, *fixed]), sum_of(rest))
