"""Looking names up: signals, parameters, constants, functions; products without a sign."""

from __future__ import annotations

from dataclasses import replace

from cellwise.equation.arrange import Layout
from cellwise.equation.calls import function, no_function, product, refuse_round_index
from cellwise.equation.functions import ALIASES, FUNCTIONS, LITERAL
from cellwise.equation.over import at_leaf
from cellwise.equation.syntax import Line, Term, postorder
from cellwise.errors import EquationError, Span
from cellwise.graph.system import SLOTS

INDICES = ("t", "t-1", "t+1", "n", "k", "n,k", *SLOTS)


class Resolver:
    """Replaces `bare`, `call`, `adjacent` and others by operations of the graph."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.read_names = {
            term.name
            for line in layout.values()
            for term in postorder(line.value)
            if term.kind == "read" and term.index in INDICES
        }
        self.signals = {*layout.defined, *layout.given, *self.read_names}
        self.totals = {line.name for line in layout.totals}
        self.matrices = {
            term.arguments[0].name
            for line in layout.values()
            for term in postorder(line.value)
            if term.kind in ("matmul", "transpose", "adjacent") and term.arguments[0].kind == "bare"
        }

    def line(self, line: Line) -> Line:
        """The line with its value resolved."""
        value = self.term(line.value)
        return replace(line, value=at_leaf(value) if line.index == "leaf" else value)

    def term(self, root: Term) -> Term:
        """The term with all names looked up."""
        done: dict[Term, Term] = {}
        for term in self._order(root):
            arguments = tuple(done[a] for a in term.arguments if a in done)
            done[term] = self._one(term, arguments)
        return done[root]

    def _order(self, root: Term) -> list[Term]:
        """Post-order; literal arguments are left out."""
        literal: set[Term] = set()
        terms = list(postorder(root))
        for term in terms:
            if term.kind == "call" and term.name in LITERAL:
                literal.update(inner for a in term.arguments[1:] for inner in postorder(a))
            elif term.kind == "call" and term.name not in FUNCTIONS:
                refuse_round_index(term)
            elif term.kind == "adjacent":
                _refuse_bare_function(*term.arguments)
        return [term for term in terms if term not in literal]

    def _one(self, term: Term, arguments: tuple[Term, ...]) -> Term:
        if term.kind == "bare":
            return self._bare(term)
        if term.kind == "read":
            return self._read(term)
        if term.kind == "call":
            return self._call(term, arguments)
        if term.kind == "adjacent":
            return self._adjacent(term, arguments)
        return replace(term, arguments=arguments) if arguments else term

    def _bare(self, term: Term) -> Term:
        name = term.name
        if name in self.layout.constants:
            return replace(term, kind="constant")
        if name in self.totals:
            return replace(term, kind="read", index="")
        if name in self.signals:
            raise self._without_index(name, term.span)
        if name in FUNCTIONS or name in ALIASES:
            raise EquationError(
                f"'{name}' is a function and needs its argument in brackets",
                span=term.span,
                hint=f"Write {name}(...).",
            )
        base = name.removesuffix("_t")
        if base != name and base in self.signals:
            raise EquationError(
                f"'{name}' is no signal", span=term.span, hint=f"A step is written {base}[t]."
            )
        if name == "t":
            raise EquationError("'t' is the step and has no value", span=term.span)
        return replace(term, kind="parameter")

    def _call(self, term: Term, arguments: tuple[Term, ...]) -> Term:
        if term.name in FUNCTIONS:
            return function(term, arguments)
        if term.name in self.signals or term.name in self.layout.constants:
            raise no_function(term, signal=term.name in self.signals)
        return product(term, arguments, matrix=term.name in self.matrices)

    def _without_index(self, name: str, span: Span) -> EquationError:
        tree = self.layout.structure == "tree"
        places = f"{name}[n] or {name}[k]" if tree else f"{name}[t] or {name}[t-1]"
        return EquationError(
            f"'{name}' is a signal and needs an index; a parameter cannot share its name",
            span=span,
            hint=f"Write {places}, or give the parameter another name.",
        )

    def _read(self, term: Term) -> Term:
        if term.index == "1" and self.layout.structure == "chain":
            return Term("first", term.span, (replace(term, index="t"),))
        plain = term.index.isidentifier() and self.layout.structure == "tree"
        if plain and term.index != "leaf" and term.name not in self.signals:
            return replace(term, kind="labelled")
        return term

    def _adjacent(self, term: Term, arguments: tuple[Term, ...]) -> Term:
        left, right = arguments
        if left.kind in ("number", "constant"):
            hint = f"Write {left} * {right}."
            raise EquationError(
                f"an operator is missing between '{left}' and '{right}'", span=term.span, hint=hint
            )
        if left.kind == "read":
            hint = f"Write {left} * {right} for the product element by element."
            raise EquationError(
                f"an operator is missing between '{left}' and '{right}'", span=term.span, hint=hint
            )
        if left.kind == "matmul" and left.name == "adjacent":  # A B x is A (B x)
            inner = replace(
                term, kind="matmul", name="adjacent", arguments=(left.arguments[1], right)
            )
            span = Span(term.span.text, left.arguments[1].span.start, right.span.end)
            arguments = (left.arguments[0], replace(inner, span=span))
        return replace(term, kind="matmul", name="adjacent", arguments=arguments)


def _refuse_bare_function(left: Term, right: Term) -> None:
    if left.kind == "bare" and (left.name in FUNCTIONS or left.name in ALIASES):
        raise EquationError(
            f"'{left}' is a function and needs its argument in brackets",
            span=left.span,
            hint=f"Write {left}({right}).",
        )
