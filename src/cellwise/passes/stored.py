"""Compiled cells as text, to be kept and read again: JSON, one entry a node.

Comments and places in the text of the cell are left out: a program needs neither.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cellwise.graph.build import build
from cellwise.graph.dimension import Dim
from cellwise.graph.node import Attribute, Node, walk
from cellwise.graph.system import Equation, System
from cellwise.passes.pipeline import Compiled
from cellwise.passes.program import Program

_SECTIONS = ("before", "loop", "after")


def dump(compiled: Compiled) -> bytes:
    """A compiled cell as JSON."""
    return json.dumps(
        {
            "forward": _dump_program(compiled.forward),
            "backward": _dump_program(compiled.backward),
            "saved": compiled.saved,
            "names": dict(compiled.names),
            "out": compiled.out,
            "previous": dict(compiled.previous),
        }
    ).encode()


def load(content: bytes) -> Compiled:
    """The compiled cell that `dump` wrote."""
    found = json.loads(content)
    return Compiled(
        _load_program(found["forward"]),
        _load_program(found["backward"]),
        tuple(found["saved"]),
        found["names"],
        found["out"],
        found["previous"],
    )


def _dump_program(program: Program) -> dict[str, Any]:
    system = program.system
    number: dict[Node, int] = {}
    nodes = []
    for node in walk(system.roots()):
        number[node] = len(number)
        inner = [number[a] for a in node.arguments]
        nodes.append([node.operation, inner, [_plain(a) for a in node.attributes]])
    found: dict[str, Any] = {
        "nodes": nodes,
        "equations": [[e.name, e.index, number[e.value]] for e in system.equations],
        "sums": [[e.name, e.index, number[e.value]] for e in system.totals],
        "output": system.output,
        "initial": [[name, number[node]] for name, node in system.initial],
        "constants": system.constants,
        "given": system.given,
    }
    for section in _SECTIONS:
        found[section] = [line.name for line in getattr(program, section)]
    return found


def _load_program(found: dict[str, Any]) -> Program:
    nodes: list[Node] = []
    for operation, inner, attributes in found["nodes"]:
        made = tuple(_attribute(a) for a in attributes)
        nodes.append(build(operation, *[nodes[i] for i in inner], attributes=made))
    lines = [Equation(name, index, nodes[at]) for name, index, at in found["equations"]]
    totals = tuple(Equation(name, index, nodes[at]) for name, index, at in found["sums"])
    system = System(
        equations=tuple(lines),
        output=found["output"],
        totals=totals,
        initial=tuple((name, nodes[at]) for name, at in found["initial"]),
        constants=tuple((name, value) for name, value in found["constants"]),
        given=tuple(found["given"]),
    )
    by_name = {line.name: line for line in lines}
    before, loop, after = (_chosen(found[section], by_name) for section in _SECTIONS)
    return Program(system, before, loop, after, totals)


def _chosen(names: Sequence[str], lines: dict[str, Equation]) -> tuple[Equation, ...]:
    return tuple(lines[name] for name in names)


def _plain(attribute: object) -> object:
    """An attribute in the types of JSON: a size is a table, a tuple a list."""
    if isinstance(attribute, Dim):
        return {"terms": attribute.terms, "constant": attribute.constant}
    if isinstance(attribute, tuple):
        return [_plain(a) for a in attribute]
    return attribute


def _attribute(found: Any) -> Attribute:
    if isinstance(found, dict):
        terms = tuple((name, count) for name, count in found["terms"])
        return Dim(terms, found["constant"])  # type: ignore[return-value]
    if isinstance(found, list):
        return tuple(_attribute(a) for a in found)
    return found  # type: ignore[no-any-return]
