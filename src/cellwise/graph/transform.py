"""Rewriting all expressions of a system at once, with comments and places kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from cellwise.graph.node import Node, rewrite
from cellwise.graph.system import Equation, System

Step = Callable[[Node, tuple[Node, ...]], Node]


def rewrite_system(system: System, step: Step) -> System:
    """The system with `step(node, new_arguments)` in place of every node, from the leaves up.

    Initial parameters stay as they are.
    """
    memo: dict[Node, Node] = {}

    def renew(lines: Iterable[Equation]) -> tuple[Equation, ...]:
        kept = tuple(lines)
        values = rewrite([line.value for line in kept], step, memo)
        return tuple(replace(a, value=value) for a, value in zip(kept, values, strict=True))

    leaf, equations, totals = (renew(x) for x in (system.leaf, system.equations, system.totals))
    spans = {**system.spans}
    for old, new in memo.items():
        if old in system.spans:
            spans.setdefault(new, system.spans[old])
    return replace(system, leaf=leaf, equations=equations, totals=totals, spans=spans)
