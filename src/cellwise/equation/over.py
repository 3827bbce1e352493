"""Sums over steps, nodes and edges: how a text writes their ranges, and edges seen from below.

Within a graph, an expression of an edge reads its parent end at `n` and its child end at `k`. A
text writes it like that in `sum(E for k in n)`; in `sum(E for p in parents)`, where the node is the
child, the parent is `p`, the edge `p,n` and the node itself `n`.
"""

from __future__ import annotations

from dataclasses import replace

from cellwise.equation.syntax import Term, postorder
from cellwise.errors import EquationError, Span
from cellwise.graph.build import build, read, remake
from cellwise.graph.node import Node, rewrite
from cellwise.graph.places import reads_leaves
from cellwise.graph.system import SLOTS, System
from cellwise.graph.transform import rewrite_system

OF_ALL = ("t", "n", "leaf")
PARENTS = "parents"
OVER = ("total", "first", "total_labelled", "sum_children", "sum_parents")
"""The kinds of terms within which a read may have another index than outside."""

FROM_BELOW = {"p": "n", "p,n": "n,k", "n": "k"}
"""How a text writes what an edge reads in a sum over parents, and how a graph does."""
WRITTEN = {inner: outer for outer, inner in FROM_BELOW.items()}


def over(span: Span, body: Term, words: str) -> Term:
    """The term of `sum(body for words)`.

    Raises:
        EquationError: the words name no range.
    """
    bound, _, whole = words.partition(" in ")
    if words in OF_ALL:
        return Term("total", span, (body,), index=words)
    if words == "k in n":
        return Term("sum_children", span, (body,), index="k")
    if words == "n,k":
        edges = Term("sum_children", span, (body,), index="k", depth=body.depth + 1)
        return Term("total", span, (edges,), index="n")
    if bound == "n,k" and whole:
        return Term("total_labelled", span, (body,), index=whole)
    slots = {PARENTS: "", **{f"{PARENTS}_{slot}": slot for slot in SLOTS if slot != "parent"}}
    if bound == "p" and whole in slots:
        return Term("sum_parents", span, (_from_below(body),), index=slots[whole])
    hint = "Write 'for t' (all steps) or 'for k in n' (the children of a node)."
    if bound == "p" or whole.startswith(PARENTS):
        hint = f"Write 'for p in {PARENTS}', or for one slot {', '.join(list(slots)[1:])}."
    raise EquationError(f"unknown range 'for {words}'", span=span, hint=hint)


def _from_below(root: Term) -> Term:
    """The body of a sum over parents with the indices of a graph."""
    done: dict[Term, Term] = {}
    for term in postorder(root):
        if term.kind == "read" and term.index in ("k", "n,k"):
            raise EquationError(
                f"'{term}' stands in a sum over parents",
                span=term.span,
                hint="There [p] is the parent, [p,n] the edge and [n] this node.",
            )
        index = FROM_BELOW.get(term.index, term.index) if term.kind == "read" else term.index
        done[term] = replace(term, index=index, arguments=tuple(done[a] for a in term.arguments))
    return done[root]


def below_parents(root: Term) -> set[Term]:
    """The terms that stand in sums over parents."""
    sums = [term for term in postorder(root) if term.kind == "sum_parents"]
    return {inner for term in sums for inner in postorder(term.arguments[0])}


def at_leaf(root: Term) -> Term:
    """The value of a leaf's line; the leaf itself may be written `[n]` too."""
    edges, done = below_parents(root), dict[Term, Term]()
    for term in postorder(root):
        here = term.kind == "read" and term.index == "n" and term not in edges
        arguments = tuple(done[a] for a in term.arguments)
        done[term] = replace(term, index="leaf" if here else term.index, arguments=arguments)
    return done[root]


def as_written(system: System) -> System:
    """The system with the indices and ranges of a text in its sums, for printing only."""
    if system.structure == "chain":
        return system
    return rewrite_system(system, _written)


def _written(node: Node, arguments: tuple[Node, ...]) -> Node:
    if node.operation == "sum_parents":
        return remake(node, rewrite(node.arguments, _moved, {}))
    if node.operation != "total":
        return remake(node, arguments)
    (body,) = arguments
    if body.operation == "sum_children":
        return build("total", *body.arguments, attributes=("n,k",))
    return build("total", body, attributes=("leaf" if reads_leaves(body) else "n",))


def _moved(node: Node, arguments: tuple[Node, ...]) -> Node:
    if node.operation != "read":
        return remake(node, arguments)
    name, index = str(node.attributes[0]), str(node.attributes[1])
    return read(name, WRITTEN.get(index, index), node.shape)


def range_of(node: Node) -> str:
    """The words behind `for` of a sum in a system `as_written`."""
    attribute = str(node.attributes[0]) if node.attributes else ""
    if node.operation == "sum_children":
        return "k in n"
    if node.operation == "sum_parents":
        return f"p in {PARENTS}_{attribute}" if attribute else f"p in {PARENTS}"
    if node.operation == "total_labelled":
        return f"n,k in {attribute}"
    return attribute or "t"
