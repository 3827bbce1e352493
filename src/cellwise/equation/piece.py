"""Pieces of printed text with their level of precedence, put together without recursion."""

from __future__ import annotations

from dataclasses import dataclass

SUM, PRODUCT, MATRIX, UNARY, ADJACENT, POWER, POSTFIX, ATOM = range(1, 9)
"""The levels of `grammar.lark`, from the loosest to the tightest."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Printed text of a level: strings and pieces one after the other."""

    level: int
    parts: tuple[str | Piece, ...]

    def __str__(self) -> str:
        words: list[str] = []
        stack: list[str | Piece] = [self]
        while stack:
            part = stack.pop()
            if isinstance(part, str):
                words.append(part)
            else:
                stack.extend(reversed(part.parts))
        return "".join(words)


def piece(level: int, *parts: str | Piece) -> Piece:
    """Strings and pieces in a row."""
    return Piece(level, parts)


def bracket(inner: Piece) -> Piece:
    """The piece in brackets."""
    return Piece(ATOM, ("(", inner, ")"))


def at_least(level: int, inner: Piece) -> Piece:
    """The piece, in brackets if it is looser than `level`."""
    return inner if inner.level >= level else bracket(inner)


def factor(inner: Piece) -> Piece:
    """A factor of a product: `U @ x` gets brackets, as nobody knows which binds tighter."""
    return inner if inner.level == PRODUCT or inner.level >= UNARY else bracket(inner)


def listed(inner: tuple[Piece, ...]) -> tuple[str | Piece, ...]:
    """The pieces with commas between them."""
    parts: list[str | Piece] = []
    for one in inner:
        parts += [", ", one] if parts else [one]
    return tuple(parts)


def plain_number(value: float) -> str:
    """The shortest decimal that reads back as the same number."""
    if value in (float("inf"), float("-inf")):
        return "1e999" if value > 0 else "-1e999"
    return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)
