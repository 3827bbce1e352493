"""Sums as lists of terms with signs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cellwise.graph.build import add, neg, sub
from cellwise.graph.node import Node, walk

Term = tuple[bool, Node]
"""Whether a term is subtracted, and the term."""


def terms(node: Node, *, fixed: bool = False) -> list[Term]:
    """The terms of a sum that varies, from left to right; anything else is its only term.

    With `fixed`, also those of one that does not.
    """
    found: list[Term] = []
    stack: list[Term] = [(False, node)]
    while stack:
        minus, node = stack.pop()
        if node.operation in ("add", "sub") and (fixed or node.varies):
            left, right = node.arguments
            stack += [(minus != (node.operation == "sub"), right), (minus, left)]
        elif node.operation == "neg" and (fixed or node.varies):
            stack.append((not minus, node.arguments[0]))
        else:
            found.append((minus, node))
    return found


def whole_sums(roots: Iterable[Node]) -> set[Node]:
    """The sums below `roots` that are no terms of larger sums."""
    sums = [node for node in walk(roots) if node.operation in ("add", "sub")]
    inner = {argument for node in sums for argument in node.arguments}
    return {node for node in sums if node not in inner}


def sum_of(given: Sequence[Term]) -> Node:
    """The sum of one or more terms: those that are added first."""
    plus = [node for minus, node in given if not minus]
    less = [node for minus, node in given if minus]
    if not plus:
        return neg(add(*less))
    return sub(add(*plus), add(*less)) if less else add(*plus)
