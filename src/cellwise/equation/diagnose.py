"""Why a line does not follow the grammar, in words for a person."""

from __future__ import annotations

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from cellwise.errors import EquationError, Span

_HINTS = {
    "^": "A power is written '**'.",
    "{": "An index is written in square brackets: h[t-1].",
    "}": "An index is written in square brackets: h[t-1].",
    "\\": "Write names without a backslash: sigmoid, tanh.",
    ";": "One equation a line.",
    ":": "An equation is written name[t] = expression.",
    "'": "A name holds letters, digits and '_'.",
    "′": "A name holds letters, digits and '_'.",
    ".": "A transposed matrix is written W.T.",
    "|": "The absolute value is written abs(...).",
    "%": "A comment starts with '#'.",
    "!": "A comment starts with '#'.",
}


def diagnose(error: UnexpectedInput, span: Span, code: str) -> EquationError:
    """The error to raise for what lark found in `code`, the text under `span`."""
    if isinstance(error, UnexpectedCharacters):
        position = int(vars(error)["pos_in_stream"])  # lark declares it as None
        return _character(code[position], _place(span, position, position + 1))
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        token: Token = error.token
        at = token.start_pos or 0
        return _token(str(token), _place(span, at, at + len(token)), code, at)
    return _ended(span, code)


def _place(span: Span, start: int, end: int) -> Span:
    return Span(span.text, span.start + start, span.start + end)


def _character(sign: str, place: Span) -> EquationError:
    hint = _HINTS.get(sign, "")
    return EquationError(f"unexpected character '{sign}'", span=place, hint=hint)


def _token(found: str, place: Span, code: str, at: int) -> EquationError:
    equals = code.find("=")
    before = _last_word(code[:at])
    if 0 <= at < equals:
        hint = "A line reads name[t] = expression."
        return EquationError(f"unexpected '{found}' on the left of '='", span=place, hint=hint)
    if found in _HINTS:
        return _character(found, place)
    if found == "=":
        hint = "A line reads name[t] = expression."
        return EquationError("nothing stands on the left of '='", span=place, hint=hint)
    if before == "=":
        return EquationError(f"a value must follow '=', but '{found}' is found", span=place)
    hint = "Commas separate arguments and the pieces of [a, b]." if "," in (found, before) else ""
    return EquationError(f"unexpected '{found}' after '{before}'", span=place, hint=hint)


def _ended(span: Span, code: str) -> EquationError:
    before = _last_word(code)
    at = span.end - len(before)
    cause = f"the line ends where a value must follow '{before}'"
    return EquationError(cause, span=Span(span.text, at, span.end))


def _last_word(code: str) -> str:
    """The last name, number or sign of a line's beginning."""
    words = code.split()
    if not words:
        return ""
    word = words[-1]
    cut = len(word)
    while cut and (word[cut - 1].isalnum() or word[cut - 1] in "_."):
        cut -= 1
    if cut < len(word):
        return word[cut:]
    return word[-2:] if word[-2:] == "**" else word[-1:]
