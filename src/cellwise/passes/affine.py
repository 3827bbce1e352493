"""Affine expressions: sums of products with fixed matrices and of what does not vary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cellwise.autodiff.rules import spread
from cellwise.graph.build import add, build, concat, part, remake
from cellwise.graph.dimension import Dim
from cellwise.graph.node import Node
from cellwise.passes.simplify import is_zero


def is_product(node: Node) -> bool:
    """Whether a node is a fixed matrix (or third-order array) times vectors that vary."""
    if node.operation not in ("matmul", "bilinear") or len(node.shape) != 1 or not node.varies:
        return False
    return not node.arguments[0].varies


def is_affine(node: Node) -> bool:
    """Whether a node is a sum of at least one product with terms that do not vary."""
    if node.operation == "add":
        moving = [a for a in node.arguments if a.varies]
        return all(is_affine(a) and a.shape == node.shape for a in moving) and bool(moving)
    return is_product(node)


def affine_parts(values: Sequence[Node]) -> Iterator[Node]:
    """The largest affine parts of expressions, each once, from left to right."""
    seen: set[Node] = set()
    stack = list(reversed(values))
    while stack:
        node = stack.pop()
        if node in seen or not node.varies:
            continue
        seen.add(node)
        if is_affine(node):
            yield node
        inner = (
            [a for p in products(node) for a in p.arguments] if is_affine(node) else node.arguments
        )
        stack.extend(reversed(inner))


def products(node: Node) -> list[Node]:
    """The products that an affine expression is a sum of."""
    return [term for term in _terms(node) if term.varies]


def operands(node: Node) -> tuple[tuple[str, *tuple[Node, ...]], ...]:
    """What an affine expression multiplies matrices with: those of equal operands can be joined."""
    return tuple((p.operation, *p.arguments[1:]) for p in products(node))


def join(members: Sequence[Node]) -> tuple[Node, list[Node]]:
    """One affine expression for several of the same operands, and the part of it that each is."""
    rows = list(zip(*(products(member) for member in members), strict=True))
    terms = [
        remake(row[0], [concat(*(p.arguments[0] for p in row)), *row[0].arguments[1:]])
        for row in rows
    ]
    fixed = [_fixed(member) for member in members]
    if not all(is_zero(node) for node in fixed):
        terms.append(concat(*fixed))
    whole = add(*terms)
    sizes: list[Dim] = [member.shape[0] for member in members]
    return whole, [part(whole, index, sizes) for index in range(len(members))]


def _fixed(member: Node) -> Node:
    """The sum of the terms of an affine expression that do not vary, zeros if there are none."""
    terms = [term for term in _terms(member) if not term.varies]
    return spread(add(*terms) if terms else build("number", attributes=(0.0,)), member.shape)


def _terms(node: Node) -> Iterator[Node]:
    if node.operation == "add" and node.varies:
        for argument in node.arguments:
            yield from _terms(argument)
    else:
        yield node
