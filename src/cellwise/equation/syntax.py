"""What the parser makes of a text: terms with their places, lines and declarations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cellwise.errors import Span


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A piece of an expression, as written; compared by identity.

    Attributes:
        kind: an operation of the graph; before names are looked up also `bare`, `call`, `adjacent`.
        span: the place in the text.
        arguments: the terms that it is made of.
        name: of a signal, parameter, constant or function.
        index: of a read; the bound index of `over`; the label of a labelled parameter.
        value: of a number.
        axes: of `permute`; the index of the piece in `part`.
        sizes: of `part` for each piece, of `broadcast` for each axis: names whose sizes add up.
        depth: how deep the term nests; a flat sum does not.
    """

    kind: str
    span: Span
    arguments: tuple[Term, ...] = ()
    name: str = ""
    index: str = ""
    value: float = 0.0
    axes: tuple[int, ...] = ()
    sizes: tuple[tuple[str, ...], ...] = ()
    depth: int = 0

    def __str__(self) -> str:
        return snippet(self.span)


@dataclass(frozen=True, slots=True)
class Line:
    """`name[index] = value`; `target` is the place of the left side, `span` of the whole."""

    name: str
    index: str
    value: Term
    target: Span
    span: Span
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """`given x, h`, `scalar s`, `same x, d_x` or `output d_x`: names with their places."""

    kind: str
    names: tuple[tuple[str, Span], ...]


def snippet(span: Span) -> str:
    """The stretch of text, on one line and not too long."""
    words = " ".join(span.text[span.start : span.end].split())
    return words if len(words) <= 40 else words[:37] + "..."


def postorder(root: Term) -> Iterator[Term]:
    """Every term below `root`, arguments first, in text order; no recursion."""
    stack = [(root, False)]
    while stack:
        term, ready = stack.pop()
        if ready or not term.arguments:
            yield term
        else:
            stack.append((term, True))
            stack.extend((a, False) for a in reversed(term.arguments))
