"""What must hold of the lines together: every read has its definition, in order, no cycle."""

from __future__ import annotations

from dataclasses import replace

from cellwise.equation.arrange import NOT_BOTH, Layout
from cellwise.equation.over import FROM_BELOW, OVER, PARENTS, WRITTEN, below_parents
from cellwise.equation.syntax import Line, Term, postorder, snippet
from cellwise.errors import EquationError, Span, nearest
from cellwise.graph.system import SLOTS

CHAIN_INDICES = ("t", "t-1", "t+1")
HERE = ("", "t", "n", "leaf")
TREE_INDICES = ("n", "k", "n,k", *SLOTS, "leaf")


def check(layout: Layout) -> None:
    """Check resolved lines.

    Raises:
        EquationError: a read of what is not defined, out of order, in a cycle, or at a wrong index.
    """
    for line in layout.values():
        _indices(line, layout)
    _names(layout)
    _states(layout)
    _direction(layout)
    _order(layout)
    _initial(layout)


def _reads(line: Line) -> list[Term]:
    return [term for term in postorder(line.value) if term.kind == "read"]


def _reads_here(line: Line) -> list[Term]:
    """The reads of what the same step or node defines: above a sum over parents, that is `k`."""
    below = below_parents(line.value)
    same = ("t", "n", "n,k", "leaf")
    return [t for t in _reads(line) if (t.index == "k" if t in below else t.index in same)]


def _indices(line: Line, layout: Layout) -> None:
    """Every read has an index that its place allows."""
    stack: list[tuple[Term, str]] = [(line.value, "")]
    while stack:
        term, inside = stack.pop()
        if term.kind in OVER:
            inside = _over(term, inside, line, layout)
        elif term.kind == "read":
            _index(term, inside, line, layout)
        elif term.kind == "labelled" and (inside or line.index) not in ("edge", "n,k"):
            raise EquationError(
                f"'{term}' has no label here: a label belongs to an edge",
                span=term.span,
                hint="Write it in a sum over the children, sum(... for k in n), or a line f[n,k].",
            )
        stack.extend((a, inside) for a in term.arguments)


def _over(term: Term, inside: str, line: Line, layout: Layout) -> str:
    """Where the summed expression is evaluated: at each step, node, leaf or edge."""
    if term.kind == "sum_children":
        if (line.index or inside) != "n" or (line.index and inside):
            cause = "'for k in n' stands in a line that defines name[n], and not within another"
            raise EquationError(cause, span=term.span)
        return "edge"
    if term.kind == "sum_parents":
        if (line.index or inside) not in ("n", "leaf") or (line.index and inside):
            cause = "'for p in parents' stands in a line that defines name[n] or name[leaf]"
            raise EquationError(f"{cause}, and not within another", span=term.span)
        return "edge"
    _total(term, inside, line, layout)
    return "edge" if term.kind == "total_labelled" else term.index or "t"


def _total(term: Term, inside: str, line: Line, layout: Layout) -> None:
    one, of = ("step", "t") if layout.structure == "chain" else ("node", "n")
    if line.index:
        raise EquationError(
            f"'{term}' is over all {one}s, but '{snippet(line.target)}' is one {one}",
            span=term.span,
            hint=f"A sum over all {one}s stands in a line without an index:"
            f" d_W = sum(... for {of}).",
        )
    if inside:
        cause = f"'{term}' stands within another sum over the {one}s"
        raise EquationError(cause, span=term.span)
    if term.kind != "first" and (term.index == "t") != (layout.structure == "chain"):
        cause = f"'{term}' mixes steps [t] and nodes [n]"
        raise EquationError(cause, span=term.span, hint=NOT_BOTH)
    reads = (t for t in postorder(term) if t.kind == "read")
    if term.index == "leaf" and not any(t.index == "leaf" for t in reads):
        raise EquationError(f"'{term}' reads nothing at [leaf]", span=term.span)


def _index(term: Term, inside: str, line: Line, layout: Layout) -> None:
    if line.index == "" and term.index == "":
        return
    chain = layout.structure == "chain"
    known = CHAIN_INDICES if chain else TREE_INDICES
    place = term.span
    if not term.index:
        cause = f"'{term}' is a total over all steps and cannot be read in one of them"
        own = next((total for total in layout.totals if total.name == term.name), None)
        hint = ""
        if own is not None and not any(t.kind.startswith("total") for t in postorder(own.value)):
            i = "t" if chain else "n"
            hint = f"A signal has an index where it is defined, too: {term.name}[{i}] = ..."
        raise EquationError(cause, span=place, also=own.target if own else None, hint=hint)
    if term.index not in known:
        raise _unknown_index(term, layout)
    if line.index == "" and not inside:
        hint = f"Write sum(... for t), or {term.name}[1] for the first step."
        hint, what = (hint, "step") if chain else ("Write sum(... for n).", "node")
        raise EquationError(
            f"'{term}' has no {what} in a line without an index", span=place, hint=hint
        )
    if not chain:
        where = inside or ("edge" if line.index == "n,k" else line.index)
        _at_node(term, where, total=not line.index)


def _at_node(term: Term, where: str, *, total: bool) -> None:
    """A read is of what is there: at a node, an edge (of both its ends) or a leaf."""
    place, index = term.span, term.index
    if index in ("k", "n,k") and where == "n":
        hint = f"Write sum({term.name}[{index}] for k in n)."
        raise EquationError(
            f"'{term}' stands outside of a sum over the children", span=place, hint=hint
        )
    if index == "leaf" and where != "leaf":
        raise EquationError(f"'{term}' is read outside of a leaf's equation", span=place)
    if total and where == "leaf" and index == "n":
        hint = f"Write {term.name}[leaf]."
        raise EquationError(f"'{term}' is read in a sum over leaves", span=place, hint=hint)
    if where == "leaf" and index not in ("leaf", "parent"):
        raise EquationError(
            f"'{term}' is read in a leaf's equation, but a leaf has no child", span=place
        )
    if where == "edge" and index in SLOTS:
        raise EquationError(
            f"'{term}' is read at an edge, which has only [n], [k] and [n,k]",
            span=place,
            hint=f"Carry it in a line of the node: p[n] = {term.name}[{index}], then p[n].",
        )


def _unknown_index(term: Term, layout: Layout) -> EquationError:
    chain = layout.structure == "chain"
    mixed = term.index in (TREE_INDICES if chain else CHAIN_INDICES)
    if mixed:
        cause = f"'{term}' mixes steps [t] and nodes [n]"
        return EquationError(cause, span=term.span, hint=NOT_BOTH)
    hint = (
        "Known are [t] and [t-1]."
        if chain
        else f"Known are {', '.join(f'[{index}]' for index in ('n', 'k', 'n,k', *SLOTS))}."
    )
    back = term.index.startswith("t-") and term.index[2:].isdigit()
    if chain and back and term.index != "t-0":
        hint += (
            f" To look further back, carry a state: a line p[t] = {term.name}[t-1], then p[t-1]."
        )
    if not chain and term.index in FROM_BELOW:
        hint = f"Write sum({term.name}[{term.index}] for p in {PARENTS})."
    return EquationError(
        f"unknown index '[{term.index}]' of '{term.name}'", span=term.span, hint=hint
    )


def _names(layout: Layout) -> None:
    """No name is two things."""
    signals = {
        term.name: term.span for line in layout.values() for term in _reads(line) if term.index
    }
    signals.update({name: line.target for name, line in layout.defined.items()})
    labelled: dict[tuple[str, bool], Span] = {}
    for name, line in layout.constants.items():
        if name in signals:
            cause = f"'{name}' is a constant and a signal"
            raise EquationError(cause, span=line.target, also=signals[name])
    _declared(layout, signals)
    for line in layout.totals:
        if line.name in signals or line.name in layout.constants:
            cause = f"'{line.name}' is a total and a signal or constant"
            raise EquationError(cause, span=line.target)
    for line in (*layout.values(), *layout.initial.values()):
        for term in postorder(line.value):
            if term.kind == "parameter" and term.name in signals:
                also = signals[term.name]
                cause = f"the parameter '{term.name}' shares its name with a signal"
                raise EquationError(cause, span=term.span, also=also)
            if term.kind in ("parameter", "labelled"):
                labelled[term.name, term.kind == "labelled"] = term.span
    for name, is_labelled in labelled:
        if is_labelled and (name, False) in labelled:
            raise EquationError(
                f"'{name}' is used with a label and without one",
                span=labelled[name, True],
                also=labelled[name, False],
            )


def _declared(layout: Layout, signals: dict[str, Span]) -> None:
    """What is declared a scalar or a vector occurs."""
    lines = (*layout.values(), *layout.initial.values())
    leaves = (t for line in lines for t in postorder(line.value))
    known = {*signals, *(t.name for t in leaves if t.kind == "parameter")}
    for name, span in (*layout.scalars.items(), *layout.vectors.items()):
        if name not in known:
            cause = f"'{name}' is declared, but no equation has it"
            raise EquationError(cause, span=span, hint=nearest(name, known))


def _states(layout: Layout) -> None:
    """What is read at another step or node is defined at this one."""
    defined = layout.defined
    edges = {line.name for line in layout.steps if line.index == "n,k"}
    inputs = _inputs_of_nodes(layout)
    for line in layout.values():
        below = below_parents(line.value)
        for term in _reads(line):
            if term.index == "n" and term.name in edges:
                hint = f"Write sum({term.name}[n,k] for k in n)."
                raise EquationError(f"'{term.name}' belongs to an edge", span=term.span, hint=hint)
            here = term.index == "k" if term in below else term.index in HERE
            if here or term.name in layout.given or term.name in inputs:
                continue
            if term.index == "n,k" and term.name not in edges:
                cause = f"no line defines '{term.name}[n,k]'"
                raise EquationError(cause, span=term.span, hint=nearest(term.name, edges))
            if term.name not in defined:
                index = WRITTEN.get(term.index, term.index) if term in below else term.index
                raise _unknown_state(replace(term, index=index), layout)


def _inputs_of_nodes(layout: Layout) -> set[str]:
    """What nodes read of themselves, though no line defines it: all nodes have it."""
    found: set[str] = set()
    for line in layout.values():
        below = below_parents(line.value)
        own = [t for t in _reads(line) if t not in below and t.index in ("n", "leaf")]
        found.update(term.name for term in own)
    return found - layout.defined.keys()


def _unknown_state(term: Term, layout: Layout) -> EquationError:
    """The error for a read of another step or node of a name that no line defines."""
    name, known = term.name, [*layout.defined, *layout.given]
    here = "n" if layout.structure == "tree" else "t"
    stems = sorted((other for other in known if name.startswith(other)), key=len)
    near = nearest(name, known) or (f"Did you mean '{stems[-1]}'?" if stems else "")
    if any(t.name == name and t.index == "t" for line in layout.values() for t in _reads(line)):
        near = f"An input has no past; keep it in a state: p[t] = {name}[t], then read p[t-1]."
    if term.index == "t+1" and not near:
        near = "A step reads itself and the one before; give a layer x shifted to look ahead."
    hint = f"'{name}' is read at [{term.index}] but no line defines {name}[{here}]. {near}"
    words = term.span.text[term.span.start : term.span.end]
    width = min(len(words), *(words.find(sign) % 1_000_000 for sign in "[ₜₖₙ"))
    place = Span(term.span.text, term.span.start, term.span.start + width)
    return EquationError(f"unknown state '{name}'", span=place, hint=hint.strip())


def _direction(layout: Layout) -> None:
    """States run from the first step to the last or back, not both."""
    found: dict[str, Term] = {}
    for line in layout.values():
        for term in _reads(line):
            if term.index in ("t-1", "t+1") and term.name not in layout.given:
                found.setdefault(term.index, term)
    if len(found) == 2:
        raise EquationError(
            f"'{found['t-1']}' and '{found['t+1']}' run in both directions of time",
            span=found["t+1"].span,
            also=found["t-1"].span,
            hint="A cell reads [t-1]. Only derived equations read [t+1], and then never [t-1].",
        )


def _order(layout: Layout) -> None:
    """Within a step, a line reads what earlier lines define."""
    for lines in (layout.steps, layout.leaves):
        position = {line.name: number for number, line in enumerate(lines)}
        for number, line in enumerate(lines):
            for term in _reads_here(line):
                other = position.get(term.name)
                if other is not None and other >= number:
                    raise _too_early(term, lines, number, other)


def _too_early(term: Term, lines: list[Line], number: int, other: int) -> EquationError:
    cycle = _cycle(lines, other, number)
    here, there = lines[number], lines[other]
    before = "k" if here.index != "t" else "t-1"
    if cycle:
        way = " -> ".join([*cycle, cycle[0]])
        return EquationError(
            f"a cycle within a step: {way}",
            span=term.span,
            also=None if other == number else there.target,
            hint=f"One of them must be read at the step before, for example {term.name}[{before}].",
        )
    return EquationError(
        f"'{term}' is read before its definition",
        span=term.span,
        also=there.target,
        hint=f"Move the line of {snippet(there.target)} up, or read {term.name}[{before}].",
    )


def _cycle(lines: list[Line], start: int, goal: int) -> list[str]:
    """The names on a way of reads within the step between two lines, empty if there is none."""
    position = {line.name: number for number, line in enumerate(lines)}
    came: dict[int, int] = {start: start}
    queue = [start]
    for current in queue:
        if current == goal:
            way = [current]
            while way[-1] != start:
                way.append(came[way[-1]])
            return [lines[number].name for number in (way[0], *reversed(way[1:]))]
        for term in _reads_here(lines[current]):
            following = position.get(term.name)
            if following is not None and following not in came:
                came[following] = current
                queue.append(following)
    return []


def _initial(layout: Layout) -> None:
    """`h[0]` is set for states only, from a parameter."""
    carried = {
        t.name for line in layout.values() for t in _reads(line) if t.index in ("t-1", "t+1")
    }
    for name, line in layout.initial.items():
        unread = name not in carried and not layout.given  # a tangent can be zero and unread
        if unread or name not in layout.defined:
            known = nearest(name, [n for n in layout.defined if n in carried and n != name])
            reason = "no line reads it at [t-1]" if name in layout.defined else "no line defines it"
            raise EquationError(
                f"'{name}' is no state, so it has no initial value: {reason}",
                span=line.target,
                hint=known,
            )
        if line.value.kind != "parameter" and not (
            line.value.kind == "number" and line.value.value == 0
        ):
            raise EquationError(
                f"an initial state is a parameter, but '{line.value}' is found",
                span=line.value.span,
                hint=f"Write {name}[0] = {name}_0. Without such a line it starts from zeros.",
            )
