"""Lines of text files, with errors that name the file and the line."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from cellwise.errors import DataError


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 text file, numbered from 1, without their ends.

    A file whose name ends in `.gz` is read through gzip.

    Raises:
        DataError: the file is missing, unreadable, empty, no gzip, or not UTF-8.
    """
    number = 0
    try:
        with _open(path) as stream:
            for number, raw in enumerate(stream, start=1):
                yield number, _decode(raw, path, number)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the file is no intact gzip file: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror}") from error
    if number == 0:
        raise DataError(f"{path}: the file is empty")


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


def _decode(raw: bytes, path: Path, number: int) -> str:
    try:
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, line {number}: byte {error.start + 1} of the line "
            f"(0x{raw[error.start]:02x}) is not UTF-8; convert the file to UTF-8 first"
        ) from error
    return line.rstrip("\r\n")
