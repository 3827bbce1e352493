"""The content of a system, as text: what two systems share if and only if they are the same."""

from __future__ import annotations

from cellwise.graph.node import Node, walk
from cellwise.graph.system import System


def content(system: System) -> str:
    """A line for each node and each equation; says nothing of comments and places in a text."""
    lines: list[str] = []
    number: dict[Node, int] = {}
    roots = system.roots()
    bodies = [a for node in walk(roots) for a in node.attributes if isinstance(a, Node)]
    for node in walk([*bodies, *roots]):
        number[node] = len(number)
        inner = [number[a] for a in node.arguments]
        attributes = tuple(number[a] if isinstance(a, Node) else a for a in node.attributes)
        lines.append(f"{node.operation} {attributes} {node.shape} {inner}")
    lines += [f"{line.name} {line.index} {number[line.value]}" for line in system.lines()]
    initial = [(name, number[node]) for name, node in system.initial]
    lines.append(f"{system.output} {system.given} {system.constants} {initial}")
    return "\n".join(lines)
