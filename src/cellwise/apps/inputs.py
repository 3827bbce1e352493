"""Lines of input: the arguments of a command, or what standard input holds."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from cellwise.errors import ConfigError, DataError

TextsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEXT … | -", help="Inputs; - reads a line each from standard input."),
]


def input_lines(texts: list[str], *, whole: bool = True) -> Iterable[str]:
    """The texts, or the lines of standard input as they come.

    Args:
        texts: the arguments; none, or `-`, for standard input.
        whole: take what is there already, a file (`< words.txt`), into memory, as a list.

    Raises:
        ConfigError: there is neither a text nor anything to read, or `-` is one of several.
        DataError: a text is not in UTF-8.
    """
    if texts and texts != ["-"]:
        _check_texts(texts)
        return texts
    if sys.stdin is None:
        raise ConfigError("standard input is closed; give a TEXT to answer")
    if not texts and sys.stdin.isatty():
        raise ConfigError("give a TEXT to answer, or - to read lines from standard input")
    return list(_standard_input()) if whole and _is_file() else _standard_input()


def _check_texts(texts: list[str]) -> None:
    if "-" in texts:
        raise ConfigError("- stands for the lines of standard input, and so for itself alone")
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:  # as Python hands over bytes that are none
            shown = text.encode("utf-8", "replace").decode()
            raise DataError(f"'{shown}': not UTF-8 text") from error


def _is_file() -> bool:
    """Whether standard input is a file, all of which is there already."""
    try:
        return stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode)
    except io.UnsupportedOperation:  # standard input was replaced by an object without a handle
        return False


def _standard_input() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"standard input, line {number}: not UTF-8 text") from error
