"""Sections: which equations need the loop over the steps, and which do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from cellwise.graph.node import Node, walk
from cellwise.graph.system import Equation, System
from cellwise.passes.program import Program

Section = Literal["before", "loop", "after"]

CARRIED = ("t-1", "t+1")


def names_read(nodes: Iterable[Node], *indices: str) -> list[str]:
    """The names of the signals that `nodes` read (at one of `indices`), in order of first use."""
    found = [
        str(node.attributes[0])
        for node in walk(nodes)
        if node.operation == "read" and (not indices or node.attributes[1] in indices)
    ]
    return list(dict.fromkeys(found))


def bound_names(system: System) -> set[str]:
    """The names of the signals that depend on another step: not known ahead of the loop."""
    bound: set[str] = set()
    for line in system.equations:
        if is_bound(line.value, system, bound):
            bound.add(line.name)
    return bound


def is_bound(value: Node, system: System, bound: set[str]) -> bool:
    """Whether an expression depends on a state, given the names that are known to."""
    if bound.intersection(names_read([value], "t")):
        return True
    return not set(system.defined).isdisjoint(names_read([value], *CARRIED))


def sections(system: System) -> dict[str, Section]:
    """The section of each equation, by its name.

    `before`: depends on no state. `loop`: takes part in a recurrence, or what does reads it; or
    joins signals of the loop, which stores them joined as it goes. `after`: the rest.
    """
    bound = bound_names(system)
    looping = [line for line in system.equations if line.name in bound]
    while True:
        needed = set(names_read(line.value for line in looping))
        kept = [line for line in looping if line.name in needed]
        if len(kept) == len(looping):
            break
        looping = kept
    names = {line.name for line in looping}
    names |= {line.name for line in system.equations if _joins(line, names)}
    return {line.name: _section(line, names, bound) for line in system.equations}


def _section(line: Equation, looping: set[str], bound: set[str]) -> Section:
    if line.name not in bound:
        return "before"
    return "loop" if line.name in looping else "after"


def _joins(line: Equation, names: set[str]) -> bool:
    pieces = line.value.arguments if line.value.operation == "concat" else ()
    return bool(pieces) and all(
        piece.operation == "read" and piece.attributes[0] in names and piece.attributes[1] == "t"
        for piece in pieces
    )


def schedule(system: System) -> Program:
    """The program: the equations sorted into their sections, each in the order it has."""
    where = sections(system)

    def chosen(section: Section) -> tuple[Equation, ...]:
        return tuple(line for line in system.equations if where[line.name] == section)

    return Program(system, chosen("before"), chosen("loop"), chosen("after"), system.totals)
