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
VECTOR_FUNCTIONS = {*REDUCTIONS, "softmax", "norm", "is_largest", "concat"}
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
    open_still = _settled(layout, known, readers, number=UNKNOWN)
    known.update(dict.fromkeys(_read_as_vectors(layout, open_still), ARRAY))
    return {n: level or ARRAY for n, level in _settled(layout, known, readers).items()}


def _settled(
    layout: Layout, known: dict[str, int], readers: dict[str, list[Line]], *, number: int = SCALAR
) -> dict[str, int]:
    """The least fixpoint above what is known, where numbers are of a level."""
    found, queue = dict(known), deque(layout.values())
    while queue:
        line = queue.popleft()
        levels_here = term_levels(line.value, found, number=number)
        level = max(found[line.name], levels_here[line.value])
        if level != found[line.name]:
            found[line.name] = level
            queue.extend(readers[line.name])
    return found


def _read_as_vectors(layout: Layout, open_still: dict[str, int]) -> set[str]:
    """The signals of no level yet that a matrix multiplies, or that a function of vectors takes.

    So does what is computed of them alone, such as `0.5 * c[t-1]`.
    """
    found: set[str] = set()
    for line in layout.values():
        here = term_levels(line.value, open_still, number=UNKNOWN)
        for term in postorder(line.value):
            skipped = {"matmul": 1, "bilinear": 1}.get(term.kind, 0)
            taken = term.arguments[skipped:] if skipped or term.kind in VECTOR_FUNCTIONS else ()
            for argument in taken:
                if here[argument] == UNKNOWN:
                    found |= {inner.name for inner in postorder(argument) if inner.kind == "read"}
    return found & {name for name, level in open_still.items() if level == UNKNOWN}


def term_levels(root: Term, known: dict[str, int], *, number: int = SCALAR) -> dict[Term, int]:
    """The level of every term below `root`; numbers may be of none, which decides nothing."""
    found: dict[Term, int] = {}
    for term in postorder(root):
        if term.kind in ("number", "constant"):
            found[term] = number
        elif term.kind in REDUCTIONS:
            found[term] = SCALAR
        elif term.kind in ("read", "parameter", "labelled"):
            found[term] = known.get(term.name, ARRAY)
        elif term.kind in ELEMENTWISE or term.kind in OVER:
            found[term] = max(found[a] for a in term.arguments)
        else:
            found[term] = ARRAY
    return found
