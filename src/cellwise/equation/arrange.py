"""Sorting the lines of a text: constants, initial states, steps, leaves, totals, declarations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cellwise.equation.parse import Source
from cellwise.equation.syntax import Declaration, Line, Term, postorder, snippet
from cellwise.errors import EquationError, Span, nearest
from cellwise.graph.system import Structure

STEP_INDICES = {"t": "chain", "n": "tree", "n,k": "tree", "leaf": "tree"}
"""What a line can define, and the structure that it belongs to."""


NOT_BOTH = "A cell runs over a chain ([t], [t-1]) or over a tree ([n], [k]), not over both."


@dataclass
class Layout:
    """The lines of a cell by what they are.

    Attributes:
        steps: lines of one step or node, in order.
        leaves: lines of a tree's leaves.
        totals: lines without an index.
        initial: for a state, the line `h[0] = h_0`.
        constants: for a constant, its line.
        given, scalars, vectors: declared names with their places.
        same: groups of names that have the same size, though no equation says so.
        output: the name of the result.
        structure: chain or tree.
    """

    steps: list[Line] = field(default_factory=list)
    leaves: list[Line] = field(default_factory=list)
    totals: list[Line] = field(default_factory=list)
    initial: dict[str, Line] = field(default_factory=dict)
    constants: dict[str, Line] = field(default_factory=dict)
    given: dict[str, Span] = field(default_factory=dict)
    scalars: dict[str, Span] = field(default_factory=dict)
    vectors: dict[str, Span] = field(default_factory=dict)
    same: list[dict[str, Span]] = field(default_factory=list)
    output: str = ""
    structure: Structure = "chain"

    @property
    def defined(self) -> dict[str, Line]:
        """The first line that defines each signal, steps before leaves."""
        found: dict[str, Line] = {}
        for line in (*self.steps, *self.leaves):
            found.setdefault(line.name, line)
        return found

    def values(self) -> list[Line]:
        """The lines that hold an expression, in the order of a system."""
        return [*self.leaves, *self.steps, *self.totals]


def arrange(source: Source) -> Layout:
    """Sort the lines of a text.

    Raises:
        EquationError: a line is of no kind, something is defined twice, or nothing is defined.
    """
    layout = Layout()
    stepped = {line.name for line in source.lines if line.index in STEP_INDICES}
    for line in source.lines:
        _sort(layout, _with_initial_index(line, stepped), stepped)
    for declaration in source.declarations:
        _declare(layout, declaration)
    if not layout.steps:
        whole = Span(source.text, 0, 0) if source.text.strip() else None
        raise EquationError(
            "the cell is empty: no line defines a signal",
            span=layout.leaves[0].span if layout.leaves else whole,
            hint="Write at least one equation, for example h[t] = tanh(U @ x[t] + W @ h[t-1] + b).",
        )
    layout.structure = _structure(layout)
    layout.output = _output(layout, source)
    return layout


def _with_initial_index(line: Line, stepped: set[str]) -> Line:
    """`h₀ = h_0` is `h[0] = h_0` where h is a signal."""
    base = line.name.removesuffix("₀")
    if line.index or base == line.name or base not in stepped:
        return line
    return Line(base, "0", line.value, line.target, line.span, line.comment)


def _sort(layout: Layout, line: Line, stepped: set[str]) -> None:
    if line.index == "0":
        _once(layout.initial, line, f"the initial state of '{line.name}' is set twice")
    elif line.index == "leaf":
        _unique(layout.leaves, line)
    elif line.index in STEP_INDICES:
        _unique(layout.steps, line)
    elif line.index:
        raise EquationError(
            f"a line cannot define '{snippet(line.target)}'",
            span=line.target,
            hint=f"It defines {line.name}[t], or for a tree {line.name}[n], {line.name}[n,k]"
            f" or {line.name}[leaf].",
        )
    elif line.value.kind == "number":
        _once(layout.constants, line, f"the constant '{line.name}' is set twice")
    elif line.name not in stepped and _is_total(line.value):
        _unique(layout.totals, line)
    else:
        raise _without_index(line, stepped)


def _is_total(value: Term) -> bool:
    """Whether a value is over all steps, or of parameters and totals alone."""
    terms = list(postorder(value))
    whole = ("total", "total_labelled")
    if any(term.kind in whole or (term.kind, term.name) == ("call", "first") for term in terms):
        return True
    reads = [term for term in terms if term.kind == "read"]
    named = any(t.kind == "bare" or (t.kind, t.name) == ("call", "broadcast") for t in terms)
    return all(term.index == "1" for term in reads) and (named or bool(reads))


def _without_index(line: Line, stepped: set[str]) -> EquationError:
    terms = list(postorder(line.value))
    if not any(term.kind in ("read", "bare") for term in terms):
        return EquationError(
            f"the constant '{line.name}' must be a number, but is '{line.value}'",
            span=line.value.span,
            hint="Write the number itself, for example 0.5.",
        )
    base = line.name.removesuffix("_t")
    if line.name in stepped:
        return EquationError(
            f"'{line.name}' is defined by a line and has no index here", span=line.target
        )
    return EquationError(
        f"'{line.name}' has no index",
        span=line.target,
        hint=f"A signal is defined at every step: {base}[t] = ...",
    )


def _once(found: dict[str, Line], line: Line, cause: str) -> None:
    if line.name in found:
        raise EquationError(cause, span=line.target, also=found[line.name].target)
    found[line.name] = line


def _unique(found: list[Line], line: Line) -> None:
    for other in found:
        if other.name == line.name:
            raise EquationError(
                f"'{snippet(line.target)}' is defined twice",
                span=line.target,
                also=other.target,
                hint="Give one of the two another name.",
            )
    found.append(line)


def _declare(layout: Layout, declaration: Declaration) -> None:
    if declaration.kind == "same":
        layout.same.append(dict(declaration.names))
    found: Mapping[str, dict[str, Span]] = {
        "given": layout.given,
        "scalar": layout.scalars,
        "vector": layout.vectors,
    }
    for name, span in declaration.names if declaration.kind in found else ():
        if name in found[declaration.kind]:
            first = found[declaration.kind][name]
            raise EquationError(f"'{name}' is declared twice", span=span, also=first)
        found[declaration.kind][name] = span
        defining = layout.defined.get(name)
        if defining is not None and declaration.kind == "given":
            raise EquationError(
                f"'{name}' is declared 'given', but a line defines it",
                span=span,
                also=defining.target,
            )


def _structure(layout: Layout) -> Structure:
    first, *rest = [*layout.steps, *layout.leaves]
    structure: Structure = "chain" if first.index == "t" else "tree"
    for line in rest:
        if STEP_INDICES[line.index] != structure:
            raise EquationError(
                f"'{snippet(line.target)}' and '{snippet(first.target)}'"
                " mix steps [t] and nodes [n]",
                span=line.target,
                also=first.target,
                hint=NOT_BOTH,
            )
    return structure


def _output(layout: Layout, source: Source) -> str:
    """What `output name` says, else what the last line defines."""
    names = [line.name for line in layout.steps if line.index != "n,k"]
    chosen = [n for d in source.declarations if d.kind == "output" for n in d.names]
    if len(chosen) > 1:
        raise EquationError("a cell has one output", span=chosen[1][1], also=chosen[0][1])
    known = [*names, *(line.name for line in layout.leaves)]
    if chosen and chosen[0][0] not in known:
        name, span = chosen[0]
        cause = f"the output '{name}' is defined by no line"
        raise EquationError(cause, span=span, hint=nearest(name, known))
    if not names:
        line = layout.steps[-1]
        cause = f"'{snippet(line.target)}' is a vector for each edge; no line defines a node's"
        raise EquationError(cause, span=line.target, hint="Write a line h[n] = ...")
    return chosen[0][0] if chosen else names[-1]
