"""Cutting a text into lines: limits, brackets and equals signs are checked before any parsing.

A line goes on over a line break while a bracket is open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cellwise.equation.syntax import snippet
from cellwise.errors import EquationError, Span

MAX_LENGTH = 100_000
MAX_DEPTH = 100
KEYWORDS = ("given", "scalar", "vector", "same", "output")
CLOSING = {"(": ")", "[": "]"}

_SPECIAL = re.compile(r"[#\n()\[\]]")
_DECLARATION = re.compile(rf"\s*(?:{'|'.join(KEYWORDS)})\s+[^\W\d]")
_EQUALS = re.compile(r"[+\-*/:<>!]?=+")
_BLANK = "\ufeff \t\r\n\f\v"


@dataclass(frozen=True, slots=True)
class Stretch:
    """The place of one line without its comment, and the comment."""

    span: Span
    comment: str
    declares: bool


def split(text: str) -> list[Stretch]:
    """The lines of a text that hold something.

    Raises:
        EquationError: the text is too long, nests too deeply, its brackets do not balance, or
            a line has not one equals sign.
    """
    if len(text) > MAX_LENGTH:
        raise EquationError(
            f"the text is {len(text):,} characters long; at most {MAX_LENGTH:,} are accepted"
        )
    return [_checked(stretch) for stretch in _Scanner(text).scan()]


class _Scanner:
    """One pass over a text that keeps the brackets still open."""

    def __init__(self, text: str):
        self.text = text
        self.open: list[int] = []
        self.found: list[Stretch] = []
        self.comments: list[str] = []
        self.code_end = -1

    def scan(self) -> list[Stretch]:
        """All lines that hold more than a comment."""
        text, begin, position = self.text, 0, 0
        while (match := _SPECIAL.search(text, position)) is not None:
            position, sign = match.end(), match.group()
            if sign == "#":
                position = self._comment(match.start())
            elif sign == "\n":
                if not self.open:
                    self._finish(begin, match.start())
                    begin = position
            else:
                self._bracket(match.start(), sign)
        if self.open:
            raise self._unclosed(self.open[0])
        self._finish(begin, len(text))
        return self.found

    def _comment(self, start: int) -> int:
        stop = self.text.find("\n", start)
        stop = len(self.text) if stop < 0 else stop
        if not self.open:
            self.code_end = start
        self.comments.append(self.text[start:stop].lstrip("#").strip())
        return stop

    def _finish(self, begin: int, stop: int) -> None:
        end = self.code_end if self.code_end >= begin else stop
        comment = " ".join(c for c in self.comments if c)
        self.comments, self.code_end = [], -1
        while begin < end and self.text[begin] in _BLANK:
            begin += 1
        while begin < end and self.text[end - 1] in _BLANK:
            end -= 1
        if begin < end:
            declares = _DECLARATION.match(self.text, begin, end) is not None
            self.found.append(Stretch(Span(self.text, begin, end), comment, declares))

    def _bracket(self, at: int, sign: str) -> None:
        here = Span(self.text, at, at + 1)
        if sign in CLOSING:
            self.open.append(at)
            if len(self.open) > MAX_DEPTH:
                raise EquationError(f"brackets nest deeper than {MAX_DEPTH} levels", span=here)
        elif not self.open:
            raise EquationError(f"unbalanced brackets: nothing opens this '{sign}'", span=here)
        elif CLOSING[self.text[self.open[-1]]] != sign:
            opened = self.text[self.open[-1]]
            raise EquationError(
                f"unbalanced brackets: '{opened}' is closed by '{sign}'",
                span=Span(self.text, self.open[-1], self.open[-1] + 1),
                also=here,
            )
        else:
            start = self.open.pop()
            if "=" in _code(self.text[start:at]):
                raise self._unclosed(start)

    def _unclosed(self, at: int) -> EquationError:
        sign = self.text[at]
        return EquationError(
            f"unbalanced brackets: '{sign}' is never closed",
            span=Span(self.text, at, at + 1),
            hint=f"A '{CLOSING[sign]}' is missing.",
        )


def _code(text: str) -> str:
    return re.sub(r"#[^\n]*", "", text)


def _checked(stretch: Stretch) -> Stretch:
    """The stretch, if it is a declaration or has exactly one `=`."""
    span = stretch.span
    code = re.sub(r"#[^\n]*", lambda m: " " * len(m.group()), span.text[span.start : span.end])
    signs = list(_EQUALS.finditer(code))
    if not signs and not stretch.declares:
        raise EquationError(
            f"'{snippet(span)}' is no equation: it has no '='",
            span=span,
            hint="A line reads name[t] = expression.",
        )
    for number, sign in enumerate(signs):
        here = Span(span.text, span.start + sign.start(), span.start + sign.end())
        if sign.group() != "=":
            raise EquationError(
                f"stray '{sign.group()}'", span=here, hint="An equation has a single '='."
            )
        if number or stretch.declares:
            raise EquationError(
                "stray '=': a line holds one equation", span=here, hint="One equation a line."
            )
    return stretch
