"""Naming sizes: every class of equal sizes has one name, chosen the same way for every system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cellwise.graph.build import build
from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Attribute, Node, rewrite, walk
from cellwise.graph.system import Equation, System


def canonical(system: System) -> System:
    """The system with its sizes named by the output, the inputs, the first signal, or a parameter.

    Two systems that print the same text are equal after it.
    """
    names = _names(system)
    if all(old == new for old, new in names.items()):
        return system
    values = {old: Dim.of(new) for old, new in names.items()}
    memo: dict[Node, Node] = {}

    def renamed(node: Node, arguments: tuple[Node, ...]) -> Node:
        attributes = tuple(_rename(a, values) for a in node.attributes)
        return build(node.operation, *arguments, attributes=attributes)

    rewrite(system.roots(), renamed, memo)

    def line(equation: Equation) -> Equation:
        return replace(equation, value=memo[equation.value])

    return replace(
        system,
        equations=tuple(map(line, system.equations)),
        totals=tuple(map(line, system.totals)),
        leaf=tuple(map(line, system.leaf)),
        initial=tuple((name, memo[node]) for name, node in system.initial),
        spans={memo[node]: span for node, span in system.spans.items() if node in memo},
    )


def _rename(attribute: Attribute, values: dict[str, Dim]) -> Attribute:
    if isinstance(attribute, tuple):
        return tuple(a.substitute(values) if isinstance(a, Dim) else a for a in attribute)
    return attribute


def _names(system: System) -> dict[str, str]:
    """For every name in a size, the name that it gets."""
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name, dim in _candidates(system):
        if len(dim.terms) != 1 or dim.terms[0][1] != 1 or dim.constant:
            continue
        old = dim.terms[0][0]
        if old not in chosen and name not in taken:
            chosen[old] = name
            taken.add(name)
    for node in walk(system.roots()):
        for dim in _sizes(node):
            for old in dim.names():
                if old not in chosen:
                    chosen[old] = _free(old, taken)
                    taken.add(chosen[old])
    return chosen


def _free(old: str, taken: set[str]) -> str:
    name = old.replace(".", "_")
    while name in taken:
        name += "_"
    return name


def _sizes(node: Node) -> Iterator[Dim]:
    yield from node.shape
    for attribute in node.attributes:
        if isinstance(attribute, tuple):
            yield from (a for a in attribute if isinstance(a, Dim))


def _candidates(system: System) -> Iterator[tuple[str, Dim]]:
    """Names with the size that each would stand for, the preferred first."""
    signals = _signals(system)
    parameters = system.parameters
    inputs = system.inputs
    ordered = [system.output, *inputs, *signals]
    yield from ((name, signals[name][0]) for name in ordered if signals.get(name))
    yield from ((name, shape[0]) for name, shape in parameters.items() if len(shape) == 1)
    yield from ((name, shape[0]) for name, shape in parameters.items() if len(shape) > 1)
    for name, shape in parameters.items():
        yield from ((f"{name}_{axis}", dim) for axis, dim in enumerate(shape) if axis)


def _signals(system: System) -> dict[str, Shape]:
    """The shapes of all signals, in the order of the text."""
    found: dict[str, Shape] = {}
    seen: set[Node] = set()
    for line in system.lines():
        if line.index:
            found.setdefault(line.name, line.value.shape)
        for node in walk([line.value]):
            if node.operation == "read" and node not in seen and node.attributes[1]:
                found.setdefault(str(node.attributes[0]), node.shape)
            seen.add(node)
    return found
