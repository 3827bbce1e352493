"""Which signals and terms are scalars, before anything else about shapes is known."""

from __future__ import annotations

from collections import defaultdict, deque

from cellwise.equation.arrange import Layout
from cellwise.equation.syntax import Line, Term, postorder
from cellwise.graph.operations import OPERATIONS

UNKNOWN, SCALAR, ARRAY = 0, 1, 2
"""How much is known of a term: the least fixpoint; what stays unknown is a vector."""

ELEMENTWISE = {name for name, row in OPERATIONS.items() if row.kind == "elementwise"}
REDUCTIONS = {name for name, row in OPERATIONS.items() if row.kind == "reduction"}
OVER = {name for name, row in OPERATIONS.items() if row.kind == "over"}


def levels(layout: Layout) -> dict[str, int]:
    """For every defined signal and total, whether it is SCALAR or ARRAY."""
    known = {line.name: UNKNOWN for line in layout.values()}
    known.update(dict.fromkeys(layout.scalars, SCALAR))
    known.update(dict.fromkeys(layout.vectors, ARRAY))
    readers: dict[str, list[Line]] = defaultdict(list)
    for line in layout.values():
        reads = (term.name for term in postorder(line.value) if term.kind == "read")
        for name in dict.fromkeys(reads):
            readers[name].append(line)
    queue = deque(layout.values())
    while queue:
        line = queue.popleft()
        level = max(known[line.name], term_levels(line.value, known, layout)[line.value])
        if level != known[line.name]:
            known[line.name] = level
            queue.extend(readers[line.name])
    return {name: level or ARRAY for name, level in known.items()}


def term_levels(root: Term, known: dict[str, int], layout: Layout) -> dict[Term, int]:
    """The level of every term below `root`."""
    found: dict[Term, int] = {}
    for term in postorder(root):
        if term.kind in ("number", "constant") or term.kind in REDUCTIONS:
            found[term] = SCALAR
        elif term.kind in ("read", "parameter", "labelled"):
            found[term] = known.get(term.name, ARRAY)
        elif term.kind in ELEMENTWISE or term.kind in OVER:
            found[term] = max(found[a] for a in term.arguments)
        else:
            found[term] = ARRAY
    return found
