"""What a derived system reads of the sweep that it is derived from."""

from __future__ import annotations

from collections.abc import Sequence

from cellwise.graph.build import read, remake
from cellwise.graph.node import Node, rewrite, walk
from cellwise.graph.system import System


def named_values(system: System, values: Sequence[Node]) -> list[Node]:
    """`values` with what an equation computes read by its name: `z[t]` for `sigmoid(…)`."""
    names: dict[Node, Node] = {}
    for line in system.equations:
        if line.value.varies and line.value.arguments:
            names.setdefault(line.value, read(line.name, line.index, line.value.shape))
    return rewrite(values, lambda node, arguments: names.get(node) or remake(node, arguments), {})


def given_names(system: System, values: Sequence[Node]) -> tuple[str, ...]:
    """The signals and inputs of `system` that `values` read, in order of first use."""
    known = {*system.defined, *system.inputs, *system.given}
    names = [str(node.attributes[0]) for node in walk(values) if node.operation == "read"]
    return tuple(dict.fromkeys(name for name in names if name in known))
