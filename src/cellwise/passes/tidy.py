"""Tidy: the derived equations of a tree as a person would write them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from cellwise.autodiff.derivative import all_names
from cellwise.autodiff.forward import tangent
from cellwise.autodiff.reads import given_names
from cellwise.autodiff.recursion import backward_over_nodes, settle
from cellwise.autodiff.reverse import backward
from cellwise.graph.build import read, remake
from cellwise.graph.node import Node, rewrite, walk
from cellwise.graph.places import indices
from cellwise.graph.system import Equation, System
from cellwise.graph.transform import rewrite_system
from cellwise.passes.share import share
from cellwise.passes.share_nodes import share_nodes
from cellwise.passes.simplify import simplify


def readable_backward(system: System) -> System:
    """The backward equations of a cell, of the output's and over trees of all states' cotangents.

    Raises:
        StructureError: the system is derived itself.
    """
    if system.structure == "chain":
        return share(simplify(backward(system).system), taken=all_names(system))
    settled = settle(system)
    results = tuple(dict.fromkeys([system.output, *system.states]))
    derived = backward_over_nodes(settled, results)
    signals = [*system.defined, *system.inputs, *system.given]
    own = {derived.names[name] for name in signals}
    sums = {derived.names[e.name] for e in settled.equations if e.name not in system.defined}
    whole = simplify(_without_sums(derived.system, settled, system))
    whole = simplify(_inline(whole, sums, often=True))
    sent = {name for name in whole.defined if name not in own}
    order = [derived.names[name] for name in system.parameters]
    totals = sorted(whole.totals, key=lambda line: order.index(line.name))
    whole = share_nodes(replace(whole, totals=tuple(totals)), taken=all_names(system))
    return _given(_inline(whole, sent, often=False), system)


def readable_tangent(system: System) -> System:
    """The tangent equations of a cell."""
    derived, taken = simplify(tangent(system).system), all_names(system)
    shared = share if system.structure == "chain" else share_nodes
    return shared(derived, taken=taken)


def _without_sums(derived: System, settled: System, system: System) -> System:
    """The derived equations with the sums that `settle` named written out again."""
    values = {
        read(line.name, line.index, line.value.shape): line.value
        for line in settled.equations
        if line.name not in system.defined
    }
    return rewrite_system(derived, lambda node, inner: values.get(node) or remake(node, inner))


def _given(derived: System, system: System) -> System:
    """The derived equations with what they read of the cell's; names they define are their own."""
    found = given_names(system, [line.value for line in derived.lines()])
    return replace(derived, given=tuple(n for n in found if n not in derived.defined))


def _inline(system: System, names: Collection[str], *, often: bool) -> System:
    """The system without those lines of `names` that their readers can hold.

    Args:
        system: over a tree.
        names: lines that may go.
        often: also where several read the line; else only what says nothing.
    """
    for name in [line.name for line in system.equations if line.name in names]:
        (line,) = (e for e in system.equations if e.name == name)
        if _may_go(line, system, often=often):
            system = _put_in_place(line, system)
    return system


def _may_go(line: Equation, system: System, *, often: bool) -> bool:
    uses = [
        str(argument.attributes[1])
        for other in system.lines()
        for user in [None, *walk([other.value])]
        for argument in (user.arguments if user else (other.value,))
        if argument.operation == "read" and argument.attributes[0] == line.name
    ]
    read_by = set(uses)
    plain = not line.value.arguments
    legal = {"n,k"} if line.index == "n,k" else {"n"}
    if line.index == "n" and indices(line.value) <= {"n"}:
        legal.add("k")
    elif line.index == "n" and _in_edges(line.name, system):
        return False
    twice = any(e.name == line.name for e in system.leaf)
    own = any(n.operation == "read" and n.attributes[0] == line.name for n in walk([line.value]))
    return read_by <= legal and not twice and not own and (often or plain or len(uses) <= 1)


def _in_edges(name: str, system: System) -> bool:
    """Whether an expression of an edge reads a name."""
    sums = [n for n in walk(system.roots()) if n.operation.startswith("sum_")]
    edges = [e.value for e in system.equations if e.index == "n,k"]
    inner = walk([*edges, *(n.arguments[0] for n in sums)])
    return any(n.operation == "read" and n.attributes[0] == name for n in inner)


def _put_in_place(line: Equation, system: System) -> System:
    def step(node: Node, arguments: tuple[Node, ...]) -> Node:
        if node.operation != "read" or node.attributes[0] != line.name:
            return remake(node, arguments)
        return _seen_from(line.value) if node.attributes[1] == "k" else line.value

    rest = tuple(other for other in system.equations if other is not line)
    return rewrite_system(replace(system, equations=rest), step)


def _seen_from(value: Node) -> Node:
    """What a node computes of itself alone, as an edge to it sees it."""

    def step(node: Node, arguments: tuple[Node, ...]) -> Node:
        if node.operation == "read":
            return read(str(node.attributes[0]), "k", node.shape)
        return remake(node, arguments)

    return rewrite([value], step, {})[0]
