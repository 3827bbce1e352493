"""JSON in data files: what is wrong is told with its place."""

from __future__ import annotations

import json
from typing import Any, Literal

from cellwise.errors import DataError


def json_value(text: str, place: str, *, more: Literal["", "line", "column"] = "") -> Any:
    """The value that a text holds; `more` says what of an error's place is told beside `place`.

    Raises:
        DataError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = {"": "", "line": f", line {error.lineno}", "column": f", column {error.colno}"}
        raise DataError(f"{place}{where[more]}: no JSON: {error.msg}") from error
    except RecursionError as error:
        raise DataError(f"{place}: lists or objects are nested too deep") from error
    except ValueError as error:  # a number of thousands of digits
        raise DataError(f"{place}: no JSON: {str(error).partition(';')[0]}") from error


def whole_text(text: str, what: str, place: str) -> str:
    """A text, unless it was cut within a character: half of one is nothing that UTF-8 can hold.

    Raises:
        DataError: it holds half a character; `what` says which text it is.
    """
    half = next((sign for sign in text if "\ud800" <= sign <= "\udfff"), "")
    if half:
        raise DataError(
            f"{place}: {what} holds half a character (\\u{ord(half):04x}); it was cut within it"
        )
    return text
