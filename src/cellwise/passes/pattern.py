"""Patterns of expressions that read like the mathematics, so that rewrite rules make a table.

a, b = anything("a"), anything("b")
matches(a + -b, node)          # binds a and b
make(a - b, bound)             # the node that it stands for
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cellwise.graph.build import build, number
from cellwise.graph.node import Node
from cellwise.graph.operations import OPERATIONS

Bound = Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class Pattern:
    """An operation on patterns; without an operation, anything under a name, or a literal."""

    operation: str
    arguments: tuple[Pattern, ...] = ()
    name: str = ""
    value: float = 0.0

    def __add__(self, other: Pattern | float) -> Pattern:
        return Pattern("add", (self, _pattern(other)))

    def __sub__(self, other: Pattern | float) -> Pattern:
        return Pattern("sub", (self, _pattern(other)))

    def __rsub__(self, other: float) -> Pattern:
        return Pattern("sub", (_pattern(other), self))

    def __mul__(self, other: Pattern | float) -> Pattern:
        return Pattern("mul", (self, _pattern(other)))

    def __truediv__(self, other: Pattern | float) -> Pattern:
        return Pattern("div", (self, _pattern(other)))

    def __rtruediv__(self, other: float) -> Pattern:
        return Pattern("div", (_pattern(other), self))

    def __pow__(self, other: Pattern | float) -> Pattern:
        return Pattern("pow", (self, _pattern(other)))

    def __matmul__(self, other: Pattern) -> Pattern:
        return Pattern("matmul", (self, other))

    def __neg__(self) -> Pattern:
        return Pattern("neg", (self,))


def anything(name: str) -> Pattern:
    """Matches any node; the same name matches the same node."""
    return Pattern("", name=name)


def literal(value: float) -> Pattern:
    """Matches this number."""
    return Pattern("number", value=value)


def apply(operation: str, *arguments: Pattern | float) -> Pattern:
    """An operation that has no sign of its own."""
    return Pattern(operation, tuple(_pattern(a) for a in arguments))


def _pattern(a: Pattern | float) -> Pattern:
    return a if isinstance(a, Pattern) else literal(a)


def matches(
    pattern: Pattern, node: Node, bound: Bound | None = None, *, ordered: bool = False
) -> Iterator[Bound]:
    """All ways in which `node` has the form of `pattern`.

    Operands of commutative operations match both ways, unless `ordered`.
    """
    bound = bound or {}
    if not pattern.operation:
        if bound.get(pattern.name, node) is node:
            yield {**bound, pattern.name: node}
    elif pattern.operation != node.operation:
        return
    elif pattern.operation == "number":
        if node.attributes[0] == pattern.value:
            yield bound
    elif len(pattern.arguments) == len(node.arguments):
        yield from _match_all(pattern.arguments, node.arguments, bound, ordered)
        if OPERATIONS[node.operation].commutative and not ordered:
            yield from _match_all(pattern.arguments, node.arguments[::-1], bound, ordered)


def _match_all(
    patterns: tuple[Pattern, ...], nodes: tuple[Node, ...], bound: Bound, ordered: bool
) -> Iterator[Bound]:
    if not patterns:
        yield bound
        return
    for inner in matches(patterns[0], nodes[0], bound, ordered=ordered):
        yield from _match_all(patterns[1:], nodes[1:], inner, ordered)


def make(pattern: Pattern, bound: Bound) -> Node:
    """The node that a pattern stands for."""
    if not pattern.operation:
        return bound[pattern.name]
    if pattern.operation == "number":
        return number(pattern.value)
    return build(pattern.operation, *(make(a, bound) for a in pattern.arguments))
