"""Lines of text files, with errors that name the file and the line."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from cellwise.errors import DataError

Item = TypeVar("Item")


def read_lines(path: Path, *, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """The lines of a text file, numbered from 1, without their ends.

    A file whose name ends in `.gz` is read through gzip.

    Args:
        path: the file.
        encoding: one in which the end of a line is the single byte that it is in ASCII.

    Raises:
        DataError: the file is missing, unreadable, empty, no gzip, or not in the encoding.
    """
    number = 0
    try:
        with _open(path) as stream:
            for number, raw in enumerate(stream, start=1):
                yield number, _decode(raw, path, number, encoding)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the file is no intact gzip file: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror}") from error
    if number == 0:
        raise DataError(f"{path}: the file is empty")


def at_least_one(items: Iterable[Item], complaint: str) -> Iterator[Item]:
    """The items as they come.

    Raises:
        DataError: at their end, with this complaint: there was none.
    """
    empty = True
    for item in items:
        empty = False
        yield item
    if empty:
        raise DataError(complaint)


HALVES = re.compile("[\ud800-\udfff]")
"""Halves of characters, which some encodings let pass, and UTF-8 cannot hold."""


def fraction(key: str) -> float:
    """A number in [0, 1) that depends on the text alone.

    It is the same on every machine and in every version. Parts of a data set are split by it, so
    that a word stays in its part when others come or go.
    """
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") / 2**48


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _decode(raw: bytes, path: Path, number: int, encoding: str) -> str:
    return decoded(raw, str(path), encoding=encoding, first_line=number).rstrip("\r\n")


def decoded(raw: bytes, name: str, *, encoding: str = "utf-8", first_line: int = 1) -> str:
    """The text of bytes; a mark of UTF-8 at the start of a file is left out.

    Args:
        raw: a file, or a part of it that begins with a line.
        name: the file's name, for messages.
        encoding: as of `read_lines`.
        first_line: the number of the first line of `raw`.

    Raises:
        DataError: the bytes are not in the encoding, or give half a character.
    """
    marked = first_line == 1 and codecs.lookup(encoding).name == "utf-8"
    try:
        text = raw.decode("utf-8-sig" if marked else encoding)
    except UnicodeDecodeError as error:
        line = first_line + raw.count(b"\n", 0, error.start)
        position = error.start - raw.rfind(b"\n", 0, error.start)
        found = f"{name}, line {line}: byte {position} of the line (0x{raw[error.start]:02x})"
        wanted = encoding.upper()
        raise DataError(f"{found} is not {wanted}; convert the file to {wanted} first") from error
    half = HALVES.search(text) if encoding != "utf-8" else None  # which has none
    if half:
        line = first_line + text.count("\n", 0, half.start())
        raise DataError(f"{name}, line {line}: there is half a character, U+{ord(half[0]):04X}")
    return text
