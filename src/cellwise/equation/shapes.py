"""The shape of every term, in unknown sizes that the text makes equal."""

from __future__ import annotations

from collections.abc import Callable

from cellwise.equation.arrange import Layout
from cellwise.equation.levels import ELEMENTWISE, OVER
from cellwise.equation.ranks import Ranks
from cellwise.equation.syntax import Line, Term, postorder, snippet
from cellwise.equation.unify import OPEN, Owners, Sizes, Tie
from cellwise.errors import EquationError, ShapeError, Span, nearest
from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.operations import OPERATIONS

_SAME = (*OVER, "softmax", "norm", "is_largest")


class Shapes:
    """Shapes of terms, signals and parameters; `ties` are the equalities in the order of the text.

    Raises:
        ShapeError: the sizes contradict each other.
    """

    def __init__(self, layout: Layout):
        self.layout, self.ranks = layout, Ranks(layout)
        self.sizes = Sizes()
        self.ties: list[Tie] = []
        self._found: dict[Term, Shape] = {}
        self._totals: dict[str, Shape] = {}
        lines = (*layout.values(), *layout.initial.values())
        terms = [term for line in lines for term in postorder(line.value)]
        self._signals = {t.name for t in terms if t.kind == "read" and t.index} | {*layout.defined}
        self._parameters = {t.name for t in terms if t.kind in ("parameter", "labelled")}
        for line in layout.values():
            self._line(line)
        for name, line in layout.initial.items():
            if line.value.kind == "parameter" and self.ranks.signal(name):
                self._tie(Dim.of(name), self._leaf(line.value)[0], (name, line.value), line.value)
        for group in layout.same:
            self._same(group)
        self.sizes.finish()
        for term, shape in self._found.items():
            if term.kind == "broadcast" and _open(self.settle(shape)):
                cause = f"nothing says how long '{term}' is"
                raise ShapeError(cause, span=term.span, hint="Combine it with a vector.")

    def of(self, term: Term) -> Shape:
        """The settled shape of a term."""
        return self.settle(self._found[term])

    def settle(self, shape: Shape) -> Shape:
        """A shape in terms of sizes that stand for all those equal to them."""
        return tuple(self.sizes.resolve(d) for d in shape)

    def signal(self, name: str) -> Shape:
        """The settled shape of a signal."""
        return self.settle((Dim.of(name),)) if self.ranks.signal(name) else ()

    def initial(self, parameter: Term) -> Shape:
        """The settled shape of a parameter that a state starts from."""
        return self.settle(self._leaf(parameter))

    def pieces(self, term: Term) -> tuple[Dim, ...]:
        """The settled sizes of the pieces of a `part`."""
        return self.settle(self._pieces(term))

    def _line(self, line: Line) -> None:
        for term in postorder(line.value):
            self._found[term] = self._shape(term)
        shape = self._found[line.value]
        if not line.index:
            self._totals[line.name] = shape
        elif shape and self.ranks.signal(line.name):
            self._tie(Dim.of(line.name), shape[0], (line.name, line.value), line.value)

    def _tie(self, first: Dim, second: Dim, owners: Owners, place: Term, what: str = "") -> None:
        tie = Tie(first, second, owners, place.span, what)
        self.ties.append(tie)
        self.sizes.equate(tie)

    def _shape(self, term: Term) -> Shape:
        if term.kind in ("parameter", "labelled"):
            return self._leaf(term)
        if term.kind == "read":
            return self._read(term)
        if term.kind in ELEMENTWISE:
            return self._elementwise(term)
        if term.kind in _SAME:
            return self._found[term.arguments[0]]
        if OPERATIONS[term.kind].kind in ("leaf", "reduction"):
            self._equal_vectors(term)
            return ()
        return _TABLE[term.kind](self, term)

    def _leaf(self, term: Term) -> Shape:
        return tuple(Dim.of(f"{term.name}.{axis}") for axis in range(self.ranks.of(term)))

    def _read(self, term: Term) -> Shape:
        if not term.index:
            return self._totals[term.name]
        return (Dim.of(term.name),) if self.ranks.signal(term.name) else ()

    def _elementwise(self, term: Term) -> Shape:
        arrays = [a for a in term.arguments if self._found[a]]
        for other in arrays[1:]:
            for one, two in zip(self._found[arrays[0]], self._found[other], strict=True):
                self._tie(one, two, (arrays[0], other), term)
        return self._found[arrays[0]] if arrays else ()

    def _equal_vectors(self, term: Term) -> None:
        for other in term.arguments[1:]:
            first = term.arguments[0]
            self._tie(self._found[first][0], self._found[other][0], (first, other), term)

    def _matmul(self, term: Term) -> Shape:
        left, right = term.arguments
        rows, columns = self._found[left]
        size, *rest = self._found[right]
        self._tie(columns, size, (left, right), term, "the vector that {} takes")
        return (rows, *rest)

    def _bilinear(self, term: Term) -> Shape:
        rows, *axes = self._found[term.arguments[0]]
        for axis, vector in zip(axes, term.arguments[1:], strict=True):
            owners = (term.arguments[0], vector)
            self._tie(axis, self._found[vector][0], owners, term, "the vector that {} takes")
        return (rows,)

    def _concat(self, term: Term) -> Shape:
        first, *others = term.arguments
        total, *rest = self._found[first]
        for other in others:
            size, *widths = self._found[other]
            total = total + size
            for one, two in zip(rest, widths, strict=True):
                self._tie(one, two, (first, other), term, "a row of {}")
        return (total, *rest)

    def _same(self, group: dict[str, Span]) -> None:
        """The names of a `same` line have one size."""
        first, *others = group
        for name, span in group.items():
            stem, _, axis = name.partition(".")
            ranks = [self.ranks.parameter(stem)] if stem in self._parameters else []
            vector = not axis and stem in self._signals and self.ranks.signal(stem)
            if not vector and not any(int(axis or 0) < rank for rank in ranks):
                known = nearest(name, [*self._signals, *self._parameters])
                cause = f"'{snippet(span)}' is no vector and no array"
                raise EquationError(cause, span=span, hint=known)
        for other in others:
            tie = Tie(self._size(first), self._size(other), (first, other), group[other])
            self.ties.append(tie)
            self.sizes.equate(tie)

    def named(self, name: str) -> Dim:
        """The settled size of a signal, or of the first axis of a parameter."""
        return self.sizes.resolve(self._size(name))

    def join(self, names: tuple[str, ...]) -> None:
        """Make the sizes of names equal, as a `same` line would."""
        self._same(dict.fromkeys(names, Span("", 0, 0)))
        self.sizes.finish()

    def _pieces(self, term: Term) -> tuple[Dim, ...]:
        return tuple(sum((self._size(n) for n in names), Dim()) for names in term.sizes)

    def _size(self, name: str) -> Dim:
        bare = name in self._signals or name not in self._parameters
        return Dim.of(name if bare else f"{name}.0")

    def _part(self, term: Term) -> Shape:
        pieces = self._pieces(term)
        whole, *rest = self._found[term.arguments[0]]
        owners = ("all pieces", term.arguments[0])
        self._tie(sum(pieces, Dim()), whole, owners, term, "{} together")
        return (pieces[term.axes[0]], *rest)

    def _broadcast(self, term: Term) -> Shape:
        if term.sizes:
            return self._pieces(term)
        name = f"{OPEN}{len(self._found)}"
        return tuple(Dim.of(f"{name}.{axis}") for axis in range(self.ranks.of(term)))

    def _transpose(self, term: Term) -> Shape:
        return self._found[term.arguments[0]][::-1]

    def _outer(self, term: Term) -> Shape:
        return tuple(self._found[a][0] for a in term.arguments)

    def _permute(self, term: Term) -> Shape:
        shape = self._found[term.arguments[0]]
        return tuple(shape[axis] for axis in term.axes)


def _open(shape: Shape) -> bool:
    return any(name.startswith(OPEN) for dim in shape for name in dim.names())


_TABLE: dict[str, Callable[[Shapes, Term], Shape]] = {
    "matmul": Shapes._matmul,
    "bilinear": Shapes._bilinear,
    "concat": Shapes._concat,
    "part": Shapes._part,
    "broadcast": Shapes._broadcast,
    "transpose": Shapes._transpose,
    "outer": Shapes._outer,
    "permute": Shapes._permute,
}
