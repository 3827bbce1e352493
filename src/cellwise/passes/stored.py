"""Compiled cells as text, to be kept and read again: JSON, one entry a node.

Comments and places in the text of the cell are left out: a program needs neither.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Attribute, Node, intern, walk
from cellwise.graph.system import Equation, System
from cellwise.passes.nodes import CompiledNodes
from cellwise.passes.pipeline import Compiled
from cellwise.passes.program import Program
from cellwise.passes.rows import RowPrograms

_SECTIONS = ("before", "loop", "after")
_ROW_PROGRAMS = ("forward", "backward", "forward_leaf", "backward_leaf")


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


def dump_nodes(compiled: CompiledNodes) -> bytes:
    """A compiled cell over nodes as JSON."""
    return json.dumps(
        {
            "forward": _dump_system(compiled.forward),
            "backward": _dump_system(compiled.backward),
            "results": compiled.results,
            "states": compiled.states,
            "saved": compiled.saved,
            "names": dict(compiled.names),
            "outs": dict(compiled.outs),
        }
    ).encode()


def load_nodes(content: bytes) -> CompiledNodes:
    """The compiled cell over nodes that `dump_nodes` wrote."""
    found = json.loads(content)
    forward, backward = (_load_system(found[name]) for name in ("forward", "backward"))
    return CompiledNodes(
        forward,
        backward,
        results=tuple(found["results"]),
        states=tuple(found["states"]),
        saved=tuple(found["saved"]),
        names=found["names"],
        outs=found["outs"],
    )


def dump_rows(programs: RowPrograms) -> bytes:
    """Programs over rows as JSON."""
    found = [getattr(programs, name) for name in _ROW_PROGRAMS]
    return json.dumps(
        {
            "programs": [None if p is None else _dump_program(p) for p in found],
            "saved": programs.saved,
        }
    ).encode()


def load_rows(content: bytes) -> RowPrograms:
    """The programs that `dump_rows` wrote."""
    found = json.loads(content)
    programs = [None if p is None else _load_program(p) for p in found["programs"]]
    forward, backward, forward_leaf, backward_leaf = programs
    assert forward is not None and backward is not None
    return RowPrograms(forward, backward, forward_leaf, backward_leaf, tuple(found["saved"]))


def _dump_program(program: Program) -> dict[str, Any]:
    found = _dump_system(program.system)
    for section in _SECTIONS:
        found[section] = [line.name for line in getattr(program, section)]
    return found


def _dump_system(system: System) -> dict[str, Any]:
    number: dict[Node, int] = {}
    shapes: dict[Shape, int] = {}
    nodes = []
    roots = system.roots()
    bodies = [a for node in walk(roots) for a in node.attributes if isinstance(a, Node)]
    for node in walk([*bodies, *roots]):
        number[node] = len(number)
        inner = [number[a] for a in node.arguments]
        shape = shapes.setdefault(node.shape, len(shapes))
        plain = [{"node": number[a]} if isinstance(a, Node) else _plain(a) for a in node.attributes]
        nodes.append([node.operation, inner, plain, shape, node.varies])

    def numbered(lines: tuple[Equation, ...]) -> list[object]:
        return [[e.name, e.index, number[e.value]] for e in lines]

    return {
        "nodes": nodes,
        "shapes": [_plain(shape) for shape in shapes],
        "equations": numbered(system.equations),
        "leaf": numbered(system.leaf),
        "sums": numbered(system.totals),
        "output": system.output,
        "initial": [[name, number[node]] for name, node in system.initial],
        "constants": system.constants,
        "given": system.given,
    }


def _load_program(found: dict[str, Any]) -> Program:
    system = _load_system(found)
    by_name = {line.name: line for line in system.equations}
    before, loop, after = (_chosen(found[section], by_name) for section in _SECTIONS)
    return Program(system, before, loop, after, system.totals)


def _load_system(found: dict[str, Any]) -> System:
    shapes: list[Any] = [_attribute(shape, []) for shape in found["shapes"]]
    nodes: list[Node] = []
    for operation, inner, attributes, shape, varies in found["nodes"]:  # checked when first built
        made = tuple(_attribute(a, nodes) for a in attributes)
        arguments = tuple(nodes[i] for i in inner)
        nodes.append(intern(operation, arguments, made, shapes[shape], varies))

    def lines(key: str) -> tuple[Equation, ...]:
        return tuple(Equation(name, index, nodes[at]) for name, index, at in found[key])

    return System(
        equations=lines("equations"),
        output=found["output"],
        totals=lines("sums"),
        leaf=lines("leaf"),
        initial=tuple((name, nodes[at]) for name, at in found["initial"]),
        constants=tuple((name, value) for name, value in found["constants"]),
        given=tuple(found["given"]),
    )


def _chosen(names: Sequence[str], lines: dict[str, Equation]) -> tuple[Equation, ...]:
    return tuple(lines[name] for name in names)


def _plain(attribute: object) -> object:
    """An attribute in the types of JSON: a size is a table, a tuple a list."""
    if isinstance(attribute, Dim):
        return {"terms": attribute.terms, "constant": attribute.constant}
    if isinstance(attribute, tuple):
        return [_plain(a) for a in attribute]
    return attribute


def _attribute(found: Any, nodes: Sequence[Node]) -> Attribute:
    if isinstance(found, dict) and "node" in found:
        return nodes[found["node"]]
    if isinstance(found, dict):
        terms = tuple((name, count) for name, count in found["terms"])
        return Dim(terms, found["constant"])  # type: ignore[return-value]
    if isinstance(found, list):
        return tuple(_attribute(a, nodes) for a in found)
    return found  # type: ignore[no-any-return]
