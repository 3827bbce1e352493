"""Accumulate: the weight gradients of all steps as few, large products."""

from __future__ import annotations

from dataclasses import replace

from cellwise.graph.build import concat, outer, part, remake, total
from cellwise.graph.node import Node, rewrite, walk
from cellwise.graph.system import System
from cellwise.passes.simplify import simplify
from cellwise.passes.sums import sum_of, terms


def accumulate(system: System) -> System:
    """The system with joined totals: one product of two matrices for all that share an operand.

    `sum(outer(a[t], x[t]) for t)` and `sum(outer(b[t], x[t]) for t)` become parts of
    `sum(outer([a[t], b[t]], x[t]) for t)`; sums over the steps alone are joined in the same way.
    """
    if not system.totals:
        return system
    split = _with_totals(system, {n: _split(n) for n in _all_totals(system)})
    joined = _joined_outers(split)
    return simplify(_with_totals(split, joined))


def _all_totals(system: System) -> list[Node]:
    return [n for n in walk([line.value for line in system.totals]) if n.operation == "total"]


def _with_totals(system: System, values: dict[Node, Node]) -> System:
    memo = dict(values)
    roots = [line.value for line in system.totals]
    renewed = rewrite(roots, remake, memo)
    pairs = zip(system.totals, renewed, strict=True)
    return replace(system, totals=tuple(replace(line, value=value) for line, value in pairs))


def _split(node: Node) -> Node:
    """total(outer(a, b) + c.T) -> total(outer(a, b)) + total(c.T), with no outer(…).T left."""
    (value,) = node.arguments
    if len(value.shape) < 2:
        return node
    return sum_of([(minus, total(_turned(term))) for minus, term in terms(value)])


def _turned(term: Node) -> Node:
    """outer(a, b).T -> outer(b, a)."""
    if term.operation == "transpose" and term.arguments[0].operation == "outer":
        return outer(*reversed(term.arguments[0].arguments))
    return term


def _joined_outers(system: System) -> dict[Node, Node]:
    rank = {line.name: place for place, line in enumerate(system.equations)}
    outers: dict[tuple[Node, ...], list[Node]] = {}
    vectors: list[Node] = []
    for node in _all_totals(system):
        (value,) = node.arguments
        if value.operation == "outer" and value.arguments[0].varies:
            outers.setdefault(value.arguments[1:], []).append(value.arguments[0])
        elif len(value.shape) == 1 and value.varies:
            vectors.append(value)
    found: dict[Node, Node] = {}
    wholes: list[list[Node]] = []
    for others, firsts in outers.items():
        order = sorted(firsts, key=lambda node: _place(node, rank))
        if len(order) > 1:
            wholes.append(order)
            found.update(_parts(order, others))
    for order in sorted(wholes, key=len, reverse=True):
        found = {**_sums(order, vectors), **found}
    return found


def _sums(order: list[Node], vectors: list[Node]) -> dict[Node, Node]:
    """The totals of sums of joined vectors as sums of parts of one total.

    Where they ask for less than half of it, the vectors are summed on their own.
    """
    parts, members = _parts(order, ()), set(order)
    sums = {vector: terms(vector) for vector in vectors}
    chosen = {v: of for v, of in sums.items() if members.issuperset(node for _, node in of)}
    asked = {node for of in chosen.values() for _, node in of}
    if 2 * len(asked) < len(order):
        return {}
    return {
        total(vector): sum_of([(minus, parts[total(node)]) for minus, node in of])
        for vector, of in chosen.items()
    }


def _parts(order: list[Node], others: tuple[Node, ...]) -> dict[Node, Node]:
    """The total of each of several vectors (in outer products), as part of a joined one."""
    joined = concat(*order)
    whole = total(outer(joined, *others) if others else joined)
    sizes = [node.shape[0] for node in order]
    return {
        total(outer(node, *others) if others else node): part(whole, index, sizes)
        for index, node in enumerate(order)
    }


def _place(node: Node, rank: dict[str, int]) -> int:
    """Where the last of the signals that a node reads is defined."""
    reads = [n for n in walk([node]) if n.operation == "read"]
    return max((rank.get(str(n.attributes[0]), -1) for n in reads), default=-1)
