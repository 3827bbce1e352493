"""Which sizes are equal: equations between sums of unknown sizes, solved as they come."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import gcd

from cellwise.errors import ShapeError, Span
from cellwise.graph.dimension import Dim

OPEN = "?"
"""The first letter of the sizes of broadcasts, which other sizes must settle."""

_AXES = {"0": "", "1": "the columns of ", "2": "the third axis of "}


Owners = tuple[object, object]
"""What has the two sizes: terms or names, put into words only for an error."""


@dataclass(frozen=True, slots=True)
class Tie:
    """Two sizes that must be equal, and where the text says so.

    Attributes:
        first, second: the sizes.
        owners: what has them.
        span: the place.
        what: the first owner in words, where it is not the size of the owner itself.
    """

    first: Dim
    second: Dim
    owners: Owners
    span: Span
    what: str = ""


class Sizes:
    """Unknown sizes by name: a signal `h`, or an axis `W.0` of a parameter."""

    def __init__(self) -> None:
        self._bound: dict[str, Dim] = {}
        self._where: dict[str, Span] = {}
        self._later: list[Tie] = []

    def resolve(self, dim: Dim) -> Dim:
        """The size in terms of unbound names."""
        start = dim
        while any(name in self._bound for name in dim.names()):
            dim = dim.substitute(self._bound)
        if len(start.terms) == 1 and start.terms[0][1] == 1 and not start.constant:
            name = start.terms[0][0]
            if name in self._bound:
                self._bound[name] = dim
        return dim

    def equate(self, tie: Tie) -> None:
        """Make two sizes equal.

        Raises:
            ShapeError: they cannot be; both places are shown.
        """
        if not self._solve(tie, force=False):
            self._later.append(tie)

    def finish(self) -> None:
        """Solve what had to wait for other equations."""
        waiting, self._later = self._later, []
        while waiting:
            rest = [tie for tie in waiting if not self._solve(tie, force=False)]
            if len(rest) == len(waiting):
                self._solve(rest.pop(0), force=True)
            waiting = rest

    def _solve(self, tie: Tie, *, force: bool) -> bool:
        difference = self.resolve(tie.first) - self.resolve(tie.second)
        if not difference.terms and not difference.constant:
            return True
        counts = [count for _, count in difference.terms]
        if difference.constant or all(c > 0 for c in counts) or all(c < 0 for c in counts):
            raise self._contradiction(tie)
        unit = gcd(*counts)
        terms = [(name, count // unit) for name, count in difference.terms]
        chosen = _choose(terms, force=force)
        if chosen is None:
            if force:
                raise self._contradiction(tie)
            return False
        name, count = chosen
        rest = tuple((n, -c * count) for n, c in terms if n != name)
        self._bound[name] = Dim(rest)
        self._where[name] = tie.span
        return True

    def _contradiction(self, tie: Tie) -> ShapeError:
        first, second = (str(self.resolve(d)) for d in (tie.first, tie.second))
        one, two = (f"'{readable(str(owner))}'" for owner in tie.owners)
        one = (tie.what or "{}").format(one)
        first, second = readable(first), readable(second)
        return ShapeError(
            f"contradicting dimensions {first} and {second}",
            span=tie.span,
            also=self._place(tie),
            hint=f"The size of {one} is {first}, that of {two} is {second}.",
        )

    def _place(self, tie: Tie) -> Span | None:
        """Where one of the sizes was settled before."""
        for dim in (tie.first, tie.second):
            for name in dim.names():
                where = self._where.get(name)
                if where is not None and where != tie.span:
                    return where
        return None


def _choose(terms: list[tuple[str, int]], *, force: bool) -> tuple[str, int] | None:
    """The name to express by the others: one that is alone on its side."""
    alone = [
        (name, count)
        for name, count in terms
        if abs(count) == 1 and (force or all(c * count < 0 for n, c in terms if n != name))
    ]
    return max(alone, key=_eagerness) if alone else None


def _eagerness(term: tuple[str, int]) -> tuple[bool, bool, str]:
    """How much rather a name is expressed by others: broadcasts, then parameters, then signals."""
    name, _ = term
    return name.startswith(OPEN), "." in name, name


def readable(size: str) -> str:
    """A size with the axes of parameters in words."""
    return re.sub(r"([^\W\d]\S*)\.([012])", lambda m: _AXES[m.group(2)] + m.group(1), size)
