"""The errors that Cellwise raises, and the places in a text that they point at.

Every error says what was wrong, where, what was found and what would be right. The short cause is
raised where it is noticed; the place (line, column, caret) is added once, where the text is known.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a cell's text: `start` and `end` are offsets in characters, `end` exclusive."""

    text: str
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line of the first character, counted from 1."""
        return self.text.count("\n", 0, self.start) + 1

    @property
    def column(self) -> int:
        """The column of the first character, counted from 1."""
        return self.start - (self.text.rfind("\n", 0, self.start) + 1) + 1

    def caret(self) -> str:
        """The line of the text with carets under the stretch, indented by four blanks.

        Of a line that is too long to show, the part around the stretch.
        """
        begin = self.text.rfind("\n", 0, self.start) + 1
        stop = self.text.find("\n", self.start)
        stop = stop if stop >= 0 else len(self.text)
        left = "…" if self.start - begin > _WIDTH else ""
        begin = max(begin, self.start - _WIDTH)
        right = "…" if stop - self.start > _WIDTH else ""
        stop = min(stop, self.start + _WIDTH)
        before = _blank(left + self.text[begin : self.start])
        marked = _blank(self.text[self.start : min(self.end, stop)]) or " "
        shown = f"{left}{self.text[begin:stop]}{right}".rstrip()
        return f"    {shown}\n    {before}{'^' * len(marked)}"


_WIDTH = 80
"""How many characters on each side of a place are shown."""


def _blank(text: str) -> str:
    """Blanks as wide as the text: tabs stay, combining marks take no room."""
    return "".join(c if c == "\t" else " " for c in text if not unicodedata.combining(c))


class CellwiseError(Exception):
    """The base of every error that Cellwise raises on purpose."""


class _TextError(CellwiseError):
    """An error that can point at the text of a cell."""

    def __init__(
        self, cause: str, *, span: Span | None = None, hint: str = "", also: Span | None = None
    ):
        self.cause, self.span, self.hint, self.also = cause, span, hint, also
        super().__init__(self._message())

    def at(self, span: Span) -> _TextError:
        """The same error with a place, unless it has one already."""
        if self.span is not None:
            return self
        return type(self)(self.cause, span=span, hint=self.hint, also=self.also)

    def _message(self) -> str:
        where = "" if self.span is None else f"line {self.span.line}, column {self.span.column}: "
        lines = [where + self.cause]
        if self.span is not None:
            lines.append(self.span.caret())
        if self.also is not None:
            lines += [f"  and line {self.also.line}, column {self.also.column}:", self.also.caret()]
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)


class EquationError(_TextError):
    """The text of a cell is not a set of equations: line, column, caret, cause and hint."""


class ShapeError(_TextError):
    """Dimensions contradict each other, in a cell's text or in the tensors handed to a layer."""


class StructureError(CellwiseError):
    """Lengths, trees or schedules that are no structure to fold a cell over."""


class BackendError(CellwiseError):
    """A back end cannot do what was asked of it; the message says why."""


class ConfigError(CellwiseError):
    """A configuration file or an argument holds something that is not accepted."""


class DataError(CellwiseError):
    """A data file cannot be read as what it was said to be: file, line and cause."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The sentence "Did you mean 'x'?" for the known name nearest to `name`, or an empty one."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""


NO_MEMORY = "there is not enough memory for so large a model"


def is_of_memory(error: Exception) -> bool:
    """Whether an error says that there is not enough memory, as Python or torch say it."""
    return isinstance(error, MemoryError) or "allocate memory" in str(error)
