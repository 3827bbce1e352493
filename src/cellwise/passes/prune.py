"""Prune: what nothing reads, and equations that only rename a signal, go."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from cellwise.graph.build import read, remake
from cellwise.graph.node import Node
from cellwise.graph.system import System
from cellwise.graph.transform import rewrite_system
from cellwise.passes.sections import names_read


def prune(system: System, keep: Collection[str]) -> System:
    """The system without equations that only rename or that nothing reads; `keep` stays.

    Nor is it given any more what nothing reads.
    """
    found = _used(_renamed(system, keep), keep)
    read_names = names_read([line.value for line in found.lines()])
    return replace(found, given=tuple(name for name in found.given if name in read_names))


def _renamed(system: System, keep: Collection[str]) -> System:
    kept = {*keep, system.output, *system.states}
    values: dict[Node, Node] = {}
    for line in system.equations:
        if line.name not in kept and _is_alias(line.value):
            (value,) = _resolved(line.value, values)
            values[read(line.name, line.index, line.value.shape)] = value
    names = {str(node.attributes[0]) for node in values}
    rewritten = rewrite_system(system, lambda n, arguments: values.get(n) or remake(n, arguments))
    lines = tuple(line for line in rewritten.equations if line.name not in names)
    return replace(rewritten, equations=lines)


def _resolved(value: Node, values: dict[Node, Node]) -> tuple[Node]:
    if value.operation == "part":
        (inner,) = _resolved(value.arguments[0], values)
        return (remake(value, [inner]),)
    return (values.get(value, value),)


def _is_alias(value: Node) -> bool:
    whole = value.arguments[0] if value.operation == "part" else value
    return whole.operation == "read" and whole.attributes[1] == "t"


def _used(system: System, keep: Collection[str]) -> System:
    while True:
        values = [line.value for line in (*system.equations, *system.totals)]
        needed = {*keep, system.output, *names_read(values)}
        lines = tuple(line for line in system.equations if line.name in needed)
        if len(lines) == len(system.equations):
            return system
        system = replace(system, equations=lines)
