"""Files larger than memory: lines and examples that are read where they are asked for."""

from __future__ import annotations

import hashlib
import mmap
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, overload, runtime_checkable

import numpy as np

from cellwise.data.lines import decoded
from cellwise.errors import DataError

Item = TypeVar("Item")
BLOCK_BYTES = 1 << 24


@runtime_checkable
class Measured(Protocol):
    """A sequence that knows the size of each item without making it: what batches go by."""

    @property
    def sizes(self) -> Sequence[int]:
        """A number an item: its length, in whatever unit."""


@runtime_checkable
class Fingerprinted(Protocol):
    """A sequence that knows a hash of its content without making its items."""

    def fingerprint(self) -> str:
        """The hash, the same for the same content, as hexadecimal digits."""


def sizes_of(items: Sequence[Item], size: Callable[[Item], int]) -> Sequence[int]:
    """The size of each item: as the sequence itself knows it, else as `size` tells it."""
    return items.sizes if isinstance(items, Measured) else [size(item) for item in items]


class MappedLines(Sequence[str]):
    """The lines of a UTF-8 text file, without their ends, of which memory holds where they start.

    That is 16 bytes a line. The file must stay as it is while it is in use.

    Example:
        lines = MappedLines(Path("train.tsv"))
        lines[12_345_678]

    Args:
        path: the file.
        advance: told the number of bytes just looked through for the starts of lines.

    Raises:
        DataError: the file is missing, unreadable, empty or compressed; when a line of it is asked
            for, that this is not UTF-8.
    """

    def __init__(self, path: Path, *, advance: Callable[[int], None] = lambda _: None):
        if path.suffix == ".gz":
            raise DataError(
                f"{path}: a compressed file cannot be mapped into memory; unpack it first "
                f"(gunzip -k {path.name}) and name {path.stem} instead"
            )
        self.path = path
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError as error:
            raise DataError(f"{path}: there is no such file") from error
        except OSError as error:
            raise DataError(f"{path}: the file cannot be read: {error.strerror}") from error
        except ValueError as error:  # what mmap says of no bytes
            raise DataError(f"{path}: the file is empty") from error
        self._starts = _starts(self._bytes, advance)
        self.sizes: array[int] = array("q", np.diff(self._starts).tobytes())

    def __len__(self) -> int:
        return len(self.sizes)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        i = range(len(self))[place]
        raw = self._bytes[self._starts[i] : self._starts[i + 1]]
        return decoded(raw, str(self.path), first_line=i + 1).rstrip("\r\n")

    def filled(self) -> array[int]:
        """The positions of the lines that are not blank; all lines are read once for it.

        Raises:
            DataError: the file is not UTF-8.
        """
        return array("q", (i for i, line in enumerate(self) if line.strip()))

    def fingerprint(self) -> str:
        """A hash of the file's bytes."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class MappedExamples(Sequence[Item], Generic[Item]):
    """Examples that are made of lines of a file whenever they are asked for, and not kept.

    For a key such as `data.in_memory`: what a task reads is then this instead of a list.

    Example:
        lines = MappedLines(path)
        pairs = MappedExamples(lines, parse, rows=lines.filled())

    Args:
        lines: the lines.
        parse: an example from the number of a line, counted from 1, and the line; with `beside`,
            also from the same line of each of the files there.
        beside: files with as many lines, such as the translations of the first one's.
        rows: which lines are examples, counted from 0; all of them unless given.

    Raises:
        DataError: the files are not of the same length.
    """

    def __init__(
        self,
        lines: MappedLines,
        parse: Callable[..., Item],
        *,
        beside: Sequence[MappedLines] = (),
        rows: Sequence[int] | None = None,
    ):
        for other in beside:
            if len(other) != len(lines):
                raise DataError(
                    f"{other.path} has {len(other)} lines, but {lines.path} has {len(lines)}; "
                    "line by line they must belong together"
                )
        self._files, self._parse = (lines, *beside), parse
        self._rows = range(len(lines)) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> list[Item]: ...
    def __getitem__(self, place: int | slice) -> Item | list[Item]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        row = self._rows[place]
        return self._parse(row + 1, *(lines[row] for lines in self._files))

    @property
    def sizes(self) -> Sequence[int]:
        """The bytes that each example is made of, without making it."""
        counts: list[Any] = [np.frombuffer(lines.sizes, np.int64) for lines in self._files]
        return array("q", sum(counts)[np.asarray(self._rows, np.int64)].tobytes())

    def fingerprint(self) -> str:
        """A hash of the files and of which lines are examples."""
        found = hashlib.sha256("".join(lines.fingerprint() for lines in self._files).encode())
        found.update(np.asarray(self._rows, np.int64).tobytes())
        return found.hexdigest()


def _starts(
    content: mmap.mmap, advance: Callable[[int], None]
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Where each line starts, and where the last one ends."""
    ends = []
    for place, block in _blocks(content):
        ends.append(np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + place + 1)
        advance(len(block))
    last = [len(content)] if content[-1:] != b"\n" else []
    return np.concatenate([[0], *ends, last]).astype(np.int64, copy=False)


def _blocks(content: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    """The bytes of a file in parts, and where each starts."""
    for place in range(0, len(content), BLOCK_BYTES):
        yield place, content[place : place + BLOCK_BYTES]
