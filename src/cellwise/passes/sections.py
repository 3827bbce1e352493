"""Sections: which equations need the loop over the steps, and which do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from cellwise.graph.node import Node, walk
from cellwise.graph.system import PREVIOUS, Equation, System
from cellwise.passes.program import Program

Section = Literal["before", "loop", "after"]

CARRIED = PREVIOUS
"""The indices that read another row."""


def names_read(nodes: Iterable[Node], *indices: str) -> list[str]:
    """The names of the signals that `nodes` read (at one of `indices`), in order of first use."""
    found = [
        str(node.attributes[0])
        for node in walk(nodes)
        if node.operation == "read" and (not indices or node.attributes[1] in indices)
    ]
    return list(dict.fromkeys(found))


class Reach:
    """Which signals and expressions depend on another step, and so are not known ahead of the loop.

    Attributes:
        names: the signals that do.
    """

    def __init__(self, system: System):
        self._defined = set(system.defined)
        self._known: dict[Node, bool] = {}
        self.names: set[str] = set()
        for line in system.equations:
            if self(line.value):
                self.names.add(line.name)

    def __call__(self, node: Node) -> bool:
        """Whether the expression does."""
        if node not in self._known:
            for inner in walk([node]):
                if inner not in self._known:
                    self._known[inner] = self._is_read(inner) or any(
                        self._known[a] for a in inner.arguments
                    )
        return self._known[node]

    def _is_read(self, node: Node) -> bool:
        if node.operation != "read":
            return False
        name, index = node.attributes[:2]
        return name in (self._defined if index in CARRIED else self.names)


def sections(system: System) -> dict[str, Section]:
    """The section of each equation, by its name.

    `before`: depends on no state. `loop`: takes part in a recurrence, or what does reads it; or
    joins signals of the loop, which stores them joined as it goes. `after`: the rest.
    """
    bound = Reach(system).names
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
    """The program: the equations sorted into their sections."""
    where = sections(system)

    def chosen(section: Section) -> tuple[Equation, ...]:
        return tuple(line for line in system.equations if where[line.name] == section)

    after = _reads_behind(chosen("after"))
    return Program(system, chosen("before"), chosen("loop"), after, system.totals)


def _reads_behind(lines: tuple[Equation, ...]) -> tuple[Equation, ...]:
    """Each equation behind all that it reads, at any step: it is done for all steps at once."""
    waiting, ordered = list(lines), list[Equation]()
    while waiting:
        names = {line.name for line in waiting}
        ready = [line for line in waiting if names.isdisjoint(names_read([line.value]))]
        ordered += ready
        waiting = [line for line in waiting if line not in ready]
    return tuple(ordered)
