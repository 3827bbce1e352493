"""Symbolic sizes: a dimension is a sum of named sizes and a number, `x + 2 h + 1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dim:
    """A size: `terms` are (name, coefficient) pairs sorted by name, none with coefficient zero.

    A name stands for the size of the vector of that name: `h` is as long as the signal `h[t]`.
    """

    terms: tuple[tuple[str, int], ...] = ()
    constant: int = 0

    @staticmethod
    def of(name: str) -> Dim:
        """The size named `name`."""
        return Dim(((name, 1),))

    def __add__(self, other: Dim) -> Dim:
        return self._combine(other, 1)

    def __sub__(self, other: Dim) -> Dim:
        return self._combine(other, -1)

    def _combine(self, other: Dim, sign: int) -> Dim:
        total = dict(self.terms)
        for name, count in other.terms:
            total[name] = total.get(name, 0) + sign * count
        terms = tuple(sorted((name, count) for name, count in total.items() if count))
        return Dim(terms, self.constant + sign * other.constant)

    def substitute(self, values: Mapping[str, Dim]) -> Dim:
        """This size with the named ones replaced, once (not repeatedly)."""
        total = Dim((), self.constant)
        for name, count in self.terms:
            value = values.get(name, Dim.of(name))
            scaled = tuple((inner, many * count) for inner, many in value.terms)
            total = total + Dim(scaled, value.constant * count)
        return total

    def names(self) -> tuple[str, ...]:
        """The names that this size is a sum of."""
        return tuple(name for name, _ in self.terms)

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """The number that this size is.

        Raises:
            KeyError: a name has no size.
        """
        return self.constant + sum(count * sizes[name] for name, count in self.terms)

    def __str__(self) -> str:
        parts = [name if count == 1 else f"{count} {name}" for name, count in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


Shape = tuple[Dim, ...]
"""(): a scalar, (d,): a vector, (rows, columns): a matrix, three dimensions: a third-order one."""
