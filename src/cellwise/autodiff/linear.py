"""Linearising an expression, and transposing the linear expression that comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cellwise.autodiff.rules import RULES
from cellwise.graph.build import add
from cellwise.graph.node import Node, walk

Leaf = Callable[[Node], Node | None]


def linearise(roots: Sequence[Node], leaf: Leaf) -> list[Node | None]:
    """The tangents of `roots`, None for zero.

    Args:
        roots: the expressions.
        leaf: the tangent that a node is given, or None where the rules shall find it.
    """
    tangents: dict[Node, Node | None] = {}
    for node in walk(roots):
        inner = [tangents[a] for a in node.arguments]
        given = leaf(node)
        tangents[node] = RULES[node.operation].jvp(node, inner) if given is None else given
    return [tangents[root] for root in roots]


def transpose(linear: Node, leaves: Sequence[Node], cotangent: Node) -> dict[Node, Node]:
    """The cotangents of the leaves of an expression that is linear in them.

    Args:
        linear: the expression; every other part of it is a coefficient.
        leaves: what it is linear in.
        cotangent: of the expression's value, of its shape.

    Returns:
        A node for each of the leaves that the expression depends on.
    """
    order = list(walk([linear]))
    moving = set(leaves)
    for node in order:
        if any(a in moving for a in node.arguments):
            moving.add(node)
    terms: dict[Node, list[Node]] = {linear: [cotangent]}
    for node in reversed(order):
        if node in moving and node in terms:
            _send(node, add(*terms[node]), moving, terms)
    return {leaf: add(*terms[leaf]) for leaf in leaves if leaf in terms}


def _send(node: Node, cotangent: Node, moving: set[Node], terms: dict[Node, list[Node]]) -> None:
    rule = RULES[node.operation].transpose
    for position, argument in enumerate(node.arguments):
        if argument in moving:
            assert rule is not None, f"'{node.operation}' is no linear operation"
            terms.setdefault(argument, []).append(rule(node, position, cotangent))
