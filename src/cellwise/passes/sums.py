"""Sums as lists of terms with signs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cellwise.graph.build import add, neg, sub
from cellwise.graph.node import Node

Term = tuple[bool, Node]
"""Whether a term is subtracted, and the term."""


def terms(node: Node, minus: bool = False) -> Iterator[Term]:
    """The terms of a sum that varies, from left to right; anything else is its only term."""
    if node.operation in ("add", "sub") and node.varies:
        yield from terms(node.arguments[0], minus)
        yield from terms(node.arguments[1], minus != (node.operation == "sub"))
    elif node.operation == "neg" and node.varies:
        yield from terms(node.arguments[0], not minus)
    else:
        yield minus, node


def sum_of(given: Sequence[Term]) -> Node:
    """The sum of one or more terms: those that are added first."""
    plus = [node for minus, node in given if not minus]
    less = [node for minus, node in given if minus]
    if not plus:
        return neg(add(*less))
    return sub(add(*plus), add(*less)) if less else add(*plus)
