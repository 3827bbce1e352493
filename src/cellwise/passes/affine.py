"""Affine expressions: sums of products with fixed matrices and of what does not vary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cellwise.autodiff.rules import spread
from cellwise.graph.build import add, build, concat, part, remake
from cellwise.graph.dimension import Dim
from cellwise.graph.node import Node, walk
from cellwise.passes.simplify import is_zero
from cellwise.passes.sums import terms


def is_product(node: Node) -> bool:
    """Whether a node is a fixed matrix (or third-order array) times vectors that vary."""
    if node.operation not in ("matmul", "bilinear") or len(node.shape) != 1 or not node.varies:
        return False
    return not node.arguments[0].varies


def affine_nodes(values: Iterable[Node]) -> set[Node]:
    """The nodes that are sums of at least one product with terms that do not vary."""
    found: set[Node] = set()
    for node in walk(values):
        if is_product(node):
            found.add(node)
        elif node.operation == "add" and node.varies:
            moving = [a for a in node.arguments if a.varies]
            if all(a in found and a.shape == node.shape for a in moving):
                found.add(node)
    return found


def affine_parts(values: Sequence[Node]) -> Iterator[Node]:
    """The largest affine parts of expressions, each once, from left to right."""
    affine = affine_nodes(values)
    seen: set[Node] = set()
    stack = list(reversed(values))
    while stack:
        node = stack.pop()
        if node in seen or not node.varies:
            continue
        seen.add(node)
        if node in affine:
            yield node
            stack += [a for p in reversed(products(node)) for a in reversed(p.arguments)]
        else:
            stack += reversed(node.arguments)


def products(node: Node) -> list[Node]:
    """The products that an affine expression is a sum of."""
    return [term for _, term in terms(node) if term.varies]


def operands(node: Node) -> tuple[tuple[str, *tuple[Node, ...]], ...]:
    """What an affine expression multiplies matrices with: those of equal operands can be joined."""
    return tuple((p.operation, *p.arguments[1:]) for p in products(node))


def join(members: Sequence[Node]) -> tuple[Node, list[Node]]:
    """One affine expression for several of the same operands, and the part of it that each is."""
    rows = list(zip(*(products(member) for member in members), strict=True))
    summands = [
        remake(row[0], [concat(*(p.arguments[0] for p in row)), *row[0].arguments[1:]])
        for row in rows
    ]
    fixed = [_fixed(member) for member in members]
    if not all(is_zero(node) for node in fixed):
        summands.append(concat(*fixed))
    whole = add(*summands)
    sizes: list[Dim] = [member.shape[0] for member in members]
    return whole, [part(whole, index, sizes) for index in range(len(members))]


def _fixed(member: Node) -> Node:
    """The sum of the terms of an affine expression that do not vary, zeros if there are none."""
    fixed = [term for _, term in terms(member) if not term.varies]
    return spread(add(*fixed) if fixed else build("number", attributes=(0.0,)), member.shape)
