"""Looking names up: what is a signal, a parameter, a constant or a function; products without a sign."""

from __future__ import annotations

from dataclasses import replace

from cellwise.equation.arrange import Layout
from cellwise.equation.functions import ALIASES, ARITY, FUNCTIONS, accepted, near_miss
from cellwise.equation.syntax import Line, Term, postorder
from cellwise.errors import EquationError, Span, nearest

INDICES = ("t", "t-1", "t+1")


class Resolver:
    """Replaces `bare`, `call`, `adjacent` and others by operations of the graph."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.read_names = {
            term.name
            for line in layout.values()
            for term in postorder(line.value)
            if term.kind == "read" and term.index in (*INDICES, "n", "k", "n,k", "left", "right", "parent")
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
        return replace(line, value=self.term(line.value))

    def term(self, root: Term) -> Term:
        """The term with all names looked up."""
        done: dict[Term, Term] = {}
        for term in self._order(root):
            arguments = tuple(done[a] for a in term.arguments if a in done)
            done[term] = self._one(term, arguments)
        return done[root]

    def _order(self, root: Term) -> list[Term]:
        """Post-order; the literal arguments of `part` and `permute` are left out."""
        literal: set[Term] = set()
        for term in postorder(root):
            if term.kind == "call" and term.name in ("part", "permute"):
                literal.update(inner for a in term.arguments[1:] for inner in postorder(a))
        return [term for term in postorder(root) if term not in literal]

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
            inner = replace(term, kind="matmul", name="adjacent", arguments=(left.arguments[1], right))
            span = Span(term.span.text, left.arguments[1].span.start, right.span.end)
            arguments = (left.arguments[0], replace(inner, span=span))
        return replace(term, kind="matmul", name="adjacent", arguments=arguments)

    def _call(self, term: Term, arguments: tuple[Term, ...]) -> Term:
        if term.name not in FUNCTIONS:
            return self._product(term, arguments)
        count = len(term.arguments)
        for operation in FUNCTIONS[term.name]:
            fewest, most = ARITY[operation]
            if fewest <= count <= most:
                return _literal(replace(term, kind=operation, arguments=arguments), term.arguments)
        wanted = accepted(term.name)
        plural = "argument" if wanted == "1" else "arguments"
        verb = "is" if count == 1 else "are"
        raise EquationError(
            f"'{term.name}' takes {wanted} {plural}, but {count} {verb} given", span=term.span
        )

    def _product(self, term: Term, arguments: tuple[Term, ...]) -> Term:
        """`W (r ∘ h)` is a product where W is a matrix; else the function is unknown."""
        name = term.name
        start = term.span.start
        place = Span(term.span.text, start, start + _width(term, name))
        inside = term.span.text[place.end : term.span.end].strip(" ()")
        if "".join(inside.split()) in ("t", "t-1", "t+1", "n", "k"):
            raise EquationError(
                f"'{term}' is no function", span=term.span, hint=f"An index is written {name}[{inside}]."
            )
        miss = near_miss(name)
        matrix = name in self.matrices or (name[0].isupper() and not miss)
        if name in self.signals or name in self.layout.constants:
            first = f"{name}[t]" if name in self.signals else name
            raise EquationError(
                f"'{name}' is no function",
                span=place,
                hint=f"A product is written with a sign: {first} * (...).",
            )
        if len(arguments) != 1 or not matrix:
            known = f"Did you mean '{miss}'?" if miss else "Known are: " + ", ".join(sorted(FUNCTIONS)) + "."
            raise EquationError(f"unknown function '{name}'", span=place, hint=known)
        left = Term("parameter", place, name=name)
        return replace(term, kind="matmul", name="adjacent", arguments=(left, arguments[0]))


def _width(term: Term, name: str) -> int:
    """How many characters of the text the function's name takes (it is normalised in the term)."""
    words = term.span.text[term.span.start : term.span.end]
    return len(words[: words.index("(")].rstrip()) if "(" in words else len(name)


def _literal(term: Term, raw: tuple[Term, ...]) -> Term:
    """Read the axes of `permute`, the index and the sizes of `part`."""
    if term.kind == "permute":
        axes = tuple(_integer(a) for a in raw[1:])
        if sorted(axes) != [0, 1, 2]:
            raise EquationError("'permute' takes the axes 0, 1 and 2, each once", span=term.span)
        return replace(term, axes=axes)
    if term.kind == "part":
        index = _integer(raw[1])
        if not 0 <= index < len(raw) - 2:
            cause = f"'part' has no piece {index}: {len(raw) - 2} pieces are given, counted from 0"
            raise EquationError(cause, span=raw[1].span)
        return replace(term, axes=(index,), sizes=tuple(_names(a) for a in raw[2:]))
    return term


def _integer(term: Term) -> int:
    if term.kind != "number" or term.value != int(min(max(term.value, -9), 9999)):
        raise EquationError(f"a whole number is expected, but '{term}' is found", span=term.span)
    return int(term.value)


def _names(term: Term) -> tuple[str, ...]:
    """The names whose sizes add up to a piece: `h`, `h[t]` or `[x, h]`."""
    found = tuple(inner.name for inner in postorder(term) if inner.kind != "concat")
    kinds = {inner.kind for inner in postorder(term)} - {"concat", "bare", "read"}
    if kinds:
        raise EquationError(
            f"the size of a piece is given by names, but '{term}' is found",
            span=term.span,
            hint="Write a name, or [a, b] for the sum of two sizes.",
        )
    return found


def unknown_state(name: str, span: Span, defined: list[str], index: str) -> EquationError:
    """The error for a read of another step of a name that no line defines."""
    here = "n" if index in ("k", "left", "right", "parent") else "t"
    stems = sorted((other for other in defined if name.startswith(other)), key=len)
    near = nearest(name, defined) or (f"Did you mean '{stems[-1]}'?" if stems else "")
    hint = f"'{name}' is read at [{index}] but no line defines {name}[{here}]. {near}"
    return EquationError(f"unknown state '{name}'", span=span, hint=hint.strip())
