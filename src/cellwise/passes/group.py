"""Group: products with the same operand become one product, and sums of products too."""

from __future__ import annotations

from collections.abc import Callable

from cellwise.autodiff.derivative import Names, names_of
from cellwise.autodiff.rules import transposed
from cellwise.graph.build import add, concat, matmul, remake, transpose
from cellwise.graph.node import Node
from cellwise.graph.system import System
from cellwise.graph.transform import rewrite_system
from cellwise.passes.affine import affine_parts, is_product, join, operands
from cellwise.passes.sections import bound_names, is_bound, sections
from cellwise.passes.share import name_nodes, reads_of


def group(system: System) -> System:
    """The system with every product as a line of its own, as few and as large as possible.

    `W_z @ h[t-1]` and `W_r @ h[t-1]` become parts of `h_1[t] = concat(W_z, W_r) @ h[t-1]`; a bias goes along.
    Products of the loop over the steps and products that are done for all steps at once stay apart.
    """
    if system.structure == "tree":
        return system
    groups = _groups(system)
    names, fresh = {line.value: line.name for line in system.equations}, names_of(system)
    parts: dict[Node, Node] = {}
    wanted: dict[Node, str] = {}
    for members in groups:
        if len(members) > 1:
            whole, pieces = join(members)
            parts.update(zip(members, pieces, strict=True))
            wanted[whole] = _name(whole, fresh)
        elif members[0] not in names:
            wanted[members[0]] = _name(members[0], fresh)
    return _replaced(system, parts, wanted)


def _groups(system: System) -> list[list[Node]]:
    """Affine expressions of the same operands and the same section."""
    where, bound = sections(system), bound_names(system)
    found: dict[tuple[object, ...], list[Node]] = {}
    seen: set[Node] = set()
    for section in ("before", "loop", "after"):
        values = [line.value for line in system.equations if where[line.name] == section]
        for node in affine_parts(values):
            if node not in seen:
                seen.add(node)
                place = section if is_bound(node, system, bound) else "before"
                found.setdefault((place, operands(node)), []).append(node)
    return list(found.values())


def _name(node: Node, fresh: Names) -> str:
    """After the signal that the product takes."""
    taken = [inner for inner in reads_of(node) if inner.attributes[1]]
    return fresh.numbered(str(taken[0].attributes[0]))
