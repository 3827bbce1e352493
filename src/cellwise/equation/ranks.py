"""The rank of every term: scalar, vector, matrix; a contradiction shows both places."""

from __future__ import annotations

from cellwise.equation.arrange import Layout
from cellwise.equation.levels import (
    ARRAY,
    ELEMENTWISE,
    OVER,
    REDUCTIONS,
    SCALAR,
    levels,
    term_levels,
)
from cellwise.equation.syntax import Line, Term, postorder
from cellwise.errors import EquationError, ShapeError, Span
from cellwise.graph.operations import RANKS

_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "neg": "-", "matmul": "@"}

_MATRICES = {"matmul": 2, "transpose": 2, "bilinear": 3, "permute": 3}
"""Where a first argument is surely a matrix, or a third-order array."""

_TAKES: dict[str, tuple[tuple[int, ...], int | None]] = {
    **dict.fromkeys(REDUCTIONS, ((1, 1), None)),
    **dict.fromkeys(("softmax", "norm", "is_largest"), ((1,), 1)),
    "transpose": ((2,), 2),
    "bilinear": ((3, 1, 1), 1),
    "permute": ((3,), 3),
    "broadcast": ((0,), None),
}
"""The ranks that arguments must have, and the rank of the result where it is settled by that."""

Key = Term | str
"""A parameter and a total by name, every other term by itself."""


class Ranks:
    """The rank of every term, by joining what must be equal; a contradiction names both places."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self.names = levels(layout)
        self._declared()
        self._scalar: set[Term] = set()
        self._parent: dict[Key, Key] = {}
        self._rank: dict[Key, int] = {}
        self._reason: dict[Key, Span] = {}
        lines = layout.values()
        for line in lines:
            found = term_levels(line.value, self.names)
            self._scalar.update(term for term, level in found.items() if level == SCALAR)
        for line in lines:
            for term in postorder(line.value):
                self._matrices(term)
        for line in lines:
            for term in postorder(line.value):
                self._join(term)
            self._line(line)
        for name, line in layout.initial.items():
            self._initial(name, line)

    def _declared(self) -> None:
        """A declared scalar is one."""
        for name, span in self.layout.scalars.items():
            if self.names[name] == ARRAY:
                raise ShapeError(
                    f"'{name}' is declared a scalar, but it is a vector",
                    span=span,
                    also=self.layout.defined[name].span if name in self.layout.defined else None,
                )

    def of(self, term: Term) -> int:
        """The rank of a term: 0 scalar, 1 vector, 2 matrix, 3 third-order."""
        if term in self._scalar:
            return 0
        return self._rank.get(self._find(self._key(term)), 1)

    def signal(self, name: str) -> int:
        """The rank of a signal: 0 or 1."""
        return 0 if self.names.get(name) == SCALAR else 1

    def parameter(self, name: str) -> int:
        """The rank of a parameter."""
        return 0 if self.names.get(name) == SCALAR else self._rank.get(self._find(name), 1)

    def _key(self, term: Term) -> Key:
        if term.kind in ("parameter", "labelled") or (term.kind == "read" and not term.index):
            return term.name
        return term

    def _find(self, key: Key) -> Key:
        root = key
        while (above := self._parent.get(root)) is not None:
            root = above
        while key != root:
            self._parent[key], key = root, self._parent[key]
        return root

    def _known(self, term: Term) -> int | None:
        return 0 if term in self._scalar else self._rank.get(self._find(self._key(term)))

    def _set(self, term: Term, rank: int, reason: Span) -> None:
        root = self._find(self._key(term))
        self._rank[root] = rank
        self._reason.setdefault(root, reason)

    def _matrices(self, term: Term) -> None:
        """Note the sure signs of a matrix, before a contradiction is looked for."""
        if term.kind not in _MATRICES:
            return
        first = term.arguments[0]
        if first.kind in ("parameter", "labelled") and self._known(first) is None:
            self._set(first, _MATRICES[term.kind], term.span)

    def _join(self, term: Term) -> None:
        if term.kind == "broadcast" and term.sizes:
            self._set(term, len(term.sizes), term.span)
        if term.kind in _TAKES:
            wanted, result = _TAKES[term.kind]
            for argument, rank in zip(term.arguments, wanted, strict=False):
                self._need(term, argument, rank)
            if result is not None:
                self._set(term, result, term.span)
        elif term.kind == "outer":
            for argument in term.arguments:
                self._need(term, argument, 1)
            self._set(term, len(term.arguments), term.span)
        elif term.kind == "matmul":
            self._matmul(term)
        elif term.kind == "read" and term.index and term not in self._scalar:
            self._set(term, 1, term.span)
        elif term.kind in ("concat", "part"):
            self._pieces(term)
        elif term.kind in ELEMENTWISE or term.kind in OVER:
            self._elementwise(term)

    def _pieces(self, term: Term) -> None:
        """What is joined or cut is no scalar."""
        for argument in term.arguments:
            if argument in self._scalar:
                joins = term.kind == "concat"
                what = "'[...]' joins vectors" if joins else "'part' cuts a vector"
                cause = f"{what}, but '{argument}' is a scalar"
                raise ShapeError(cause, span=argument.span)
        self._elementwise(term)

    def _elementwise(self, term: Term) -> None:
        """All arguments that are no scalars have one rank, and it is the result's."""
        arrays = [a for a in term.arguments if a not in self._scalar]
        known = [a for a in arrays if self._known(a) is not None]
        for argument in known[1:]:
            if self._known(argument) != self._known(known[0]):
                raise self._mixed(term, known[0], argument)
        for argument in arrays:
            self._unite(argument, term)

    def _unite(self, first: Term, second: Term) -> None:
        one, two = self._find(self._key(first)), self._find(self._key(second))
        if one == two:
            return
        self._parent[two] = one
        if two in self._rank:
            self._rank.setdefault(one, self._rank.pop(two))
        if two in self._reason:
            self._reason.setdefault(one, self._reason.pop(two))

    def _matmul(self, term: Term) -> None:
        left, right = term.arguments
        rank = self._known(left)
        if rank not in (None, 2):
            raise self._left(term, left, right)
        if rank is None:
            self._set(left, 2, term.span)
        found = self._known(right)
        if found not in (None, 1, 2):
            cause = f"a matrix cannot be multiplied with {RANKS[found or 0]}, '{right}'"
            hint = f"Write {left} * {right}." if found == 0 else ""
            raise ShapeError(cause, span=right.span, hint=hint)
        self._unite(right, term)

    def _need(self, term: Term, argument: Term, rank: int) -> None:
        found = self._known(argument)
        if found is None:
            self._set(argument, rank, term.span)
        elif found != rank:
            name = "'.T'" if term.kind == "transpose" else f"'{term.name}'"
            raise ShapeError(
                f"{name} takes {RANKS[rank]}, but '{argument}' is {RANKS[found]}",
                span=argument.span,
                also=self._why(argument, term),
            )

    def _line(self, line: Line) -> None:
        if not line.index:
            self._total(line)
        elif self.of(line.value) > 1:
            raise ShapeError(
                f"'{line.name}' is a vector, but its value is {RANKS[self.of(line.value)]}",
                span=line.value.span,
                also=self._why(line.value, line.value),
            )
        elif line.value not in self._scalar:
            self._set(line.value, 1, line.span)

    def _total(self, line: Line) -> None:
        root = self._find(line.name)
        value = self._known(line.value)
        if value is not None and value and root not in self._rank:
            self._rank[root] = value

    def _initial(self, name: str, line: Line) -> None:
        if line.value.kind != "parameter":
            return
        rank, parameter = self.signal(name), line.value
        declared = parameter.name in self.layout.scalars
        found = 0 if declared else self._rank.get(self._find(parameter.name))
        if found is None:
            self._rank[self._find(parameter.name)] = rank
        elif found != rank:
            raise ShapeError(
                f"'{name}' is {RANKS[rank]}, but its initial value '{parameter}' is {RANKS[found]}",
                span=parameter.span,
                also=self._reason.get(self._find(parameter.name)),
            )

    def _why(self, argument: Term, term: Term) -> Span | None:
        """The place that made an argument what it is, unless it is the present one."""
        reason = self._reason.get(self._find(self._key(argument)))
        inside = reason is None or (term.span.start <= reason.start and reason.end <= term.span.end)
        return None if inside else reason

    def _mixed(self, term: Term, first: Term, second: Term) -> ShapeError:
        ranks = self._known(first) or 0, self._known(second) or 0
        matrix = first if ranks[0] > ranks[1] else second
        vector = second if matrix is first else first
        hint = f"'{matrix}' is {RANKS[max(ranks)]}, '{vector}' is {RANKS[min(ranks)]}."
        if term.kind == "mul":
            hint = f"'*' is element by element; the product with a matrix is {matrix} @ {vector}."
        return ShapeError(
            f"{_doing(term)} {RANKS[ranks[0]]} and {RANKS[ranks[1]]}",
            span=term.span,
            hint=hint,
            also=self._why(matrix, term),
        )

    def _left(self, term: Term, left: Term, right: Term) -> EquationError | ShapeError:
        rank = self._known(left) or 0
        if term.name == "adjacent":
            return EquationError(
                f"an operator is missing between '{left}' and '{right}'",
                span=term.span,
                hint=f"'{left}' is {RANKS[rank]}; only a matrix may stand next to a vector.",
            )
        hint = f"Write {left} * {right} for the product element by element."
        if right.kind == "parameter":
            hint = f"The matrix stands on the left: {right} @ {left}."
        elif rank == 1 and self._known(right) == 1:
            hint = f"Write dot({left}, {right}), or {left} * {right} element by element."
        return ShapeError(
            f"the left of '@' must be a matrix, but '{left}' is {RANKS[rank]}",
            span=left.span,
            hint=hint,
            also=self._why(left, term),
        )


def _doing(term: Term) -> str:
    if term.kind == "concat":
        return "'[...]' joins"
    name = _SIGNS.get(term.kind, term.name or term.kind)
    return f"'{name}' between"
