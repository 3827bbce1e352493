"""What a derived system reads of the sweep that it is derived from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cellwise.graph.build import read, remake
from cellwise.graph.node import Node, walk
from cellwise.graph.places import place_of, rewrite_places
from cellwise.graph.system import Equation, System


def named_values(system: System, lines: Sequence[Equation]) -> list[Equation]:
    """`lines` with what an equation computes read by its name: `z[t]` for `sigmoid(…)`."""
    names = {place: names_at(system, place) for place in ("t", "n", "n,k", "leaf")}
    memo: dict[tuple[Node, str], Node] = {}

    def step(node: Node, arguments: tuple[Node, ...], place: str) -> Node:
        return names[place].get(node) or remake(node, arguments)

    return [
        replace(e, value=rewrite_places(e.value, place_of(e, system), step, memo)) for e in lines
    ]


def names_at(system: System, place: str) -> dict[Node, Node]:
    """For what equations compute, the read of it at a place; an edge sees what its node has."""
    found: dict[Node, Node] = {}
    for line in system.leaf if place == "leaf" else system.equations:
        seen = line.index == place or (line.index, place) == ("n", "n,k")
        if seen and line.value.varies and line.value.arguments:
            found.setdefault(line.value, read(line.name, line.index, line.value.shape))
    return found


def given_names(system: System, values: Sequence[Node]) -> tuple[str, ...]:
    """The signals and inputs of `system` that `values` read, in order of first use."""
    known = {*system.defined, *system.inputs, *system.given}
    names = [str(node.attributes[0]) for node in walk(values) if node.operation == "read"]
    return tuple(dict.fromkeys(name for name in names if name in known))
