"""Texts as one long row of numbers, cut into windows: in memory, or in a file mapped into it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from cellwise.data.batches import in_chunks
from cellwise.data.lines import read_lines
from cellwise.data.spooled import mapped_file
from cellwise.data.vocabulary import END
from cellwise.errors import DataError

Numbers = NDArray[np.int32]

LINES_AT_ONCE = 10_000
"""Lines whose numbers are put into one array, so that memory never holds many Python numbers."""


@dataclass(frozen=True)
class Text:
    """Lines of files, read anew whenever they are gone through; memory never holds them all.

    Attributes:
        paths: the files, one after the other.
        first: the line to begin with, counted from 0 over all files.
        stop: the line to stop before; None: none.
    """

    paths: tuple[Path, ...]
    first: int = 0
    stop: int | None = None

    def __iter__(self) -> Iterator[str]:
        return islice(self._all(), self.first, self.stop)

    def _all(self) -> Iterator[str]:
        for path in self.paths:
            for _, line in read_lines(path):
                yield line

    def check(self) -> None:
        """Look at the start of every file. Raises DataError when one cannot be read."""
        for path in self.paths:
            next(read_lines(path))

    def fingerprint(self) -> str:
        """A hash of the lines."""
        found = hashlib.sha256()
        for line in self:
            found.update(f"{line}\n".encode("utf-8", "surrogatepass"))
        return found.hexdigest()

    def split(self, *shares: float) -> list[Text]:
        """The text cut at line ends: what is left, then for each share so much of its end.

        Shares are of the characters, line ends counted; the last share is the text's last part.

        Raises:
            DataError: a part has no line.
        """
        starts = np.cumsum(np.fromiter((len(line) + 1 for line in self), np.int64))
        starts = np.concatenate([[0], starts])
        ends_at = starts[-1] * (1 - np.cumsum((0.0, *reversed(shares)))[::-1])
        cuts = [0, *np.searchsorted(starts[:-1], ends_at[:-1]).tolist(), len(starts) - 1]
        parts = [Text(self.paths, self.first + a, self.first + b) for a, b in pairwise(cuts)]
        if min(np.diff(cuts)) < 1:
            wanted = " and ".join(f"{share:g}" for share in shares)
            raise DataError(
                f"{self.paths[0]}: too few lines ({len(starts) - 1}) to split off {wanted} of "
                "their characters; name files as data.dev and data.test"
            )
        return parts


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of a stream: the symbols from `start` on and before `stop`."""

    stream: TextStream
    start: int
    stop: int


class TextStream(Sequence[Window]):
    """A text as one row of numbers, and as the sequence of its windows, which follow one another.

    The numbers are made on first use, and held in memory or in a temporary file that is mapped.

    Example:
        stream = TextStream(Text((Path("book.txt"),)), numbers_of_a_line, 35)
        stream[0].start, stream[0].stop  # 0, 35

    Args:
        text: the lines.
        encode: the numbers of a line, with that of its end, if this is a symbol.
        size: the symbols of a window; the last one may hold fewer.
        line_ends: whether the ends of lines are among the numbers, and count as characters.
        in_memory: False: the numbers lie in a file of the system's temporary folder, 4 bytes each.
        passing: gives the lines of the text, and may show how far the pass over them is.
    """

    def __init__(
        self,
        text: Text,
        encode: Callable[[str], Sequence[int]],
        size: int,
        *,
        line_ends: bool = True,
        in_memory: bool = True,
        passing: Callable[[Text], Iterable[str]] = iter,
    ):
        self.text, self.size, self._encode, self._in_memory = text, size, encode, in_memory
        self._passing, self._line_ends = passing, line_ends
        self.characters = 0

    @cached_property
    def numbers(self) -> Numbers:
        """The end of a line, which the first symbol is predicted from, and all symbols, `[1 + N]`.

        Raises:
            DataError: the text holds no symbol.
        """
        found = _joined(self._pieces()) if self._in_memory else _mapped(self._pieces())
        if len(found) < 2:
            raise DataError(f"{self.text.paths[0]}: there is no symbol in it, only blank lines")
        return found

    def forget(self) -> None:
        """Make the numbers anew when they are asked for again, as lines are encoded then."""
        self.__dict__.pop("numbers", None)

    def _pieces(self) -> Iterator[Numbers]:
        yield np.array([END], np.int32)
        self.characters = 0
        for lines in in_chunks(self._passing(self.text), LINES_AT_ONCE):
            self.characters += sum(len(line) + self._line_ends for line in lines)
            yield np.array([number for line in lines for number in self._encode(line)], np.int32)

    @property
    def n_symbols(self) -> int:
        """N, the symbols of the text."""
        return len(self.numbers) - 1

    @property
    def sizes(self) -> Sequence[int]:
        """The symbols of each window."""
        rest = self.n_symbols % self.size
        return [self.size] * (self.n_symbols // self.size) + [rest] * (rest > 0)

    def __len__(self) -> int:
        return math.ceil(self.n_symbols / self.size)

    @overload
    def __getitem__(self, place: int) -> Window: ...
    @overload
    def __getitem__(self, place: slice) -> list[Window]: ...
    def __getitem__(self, place: int | slice) -> Window | list[Window]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        start = range(len(self))[place] * self.size
        return Window(self, start, min(start + self.size, self.n_symbols))

    def fingerprint(self) -> str:
        """A hash of the text and of the size of windows."""
        return hashlib.sha256(f"{self.text.fingerprint()} {self.size}".encode()).hexdigest()


def _joined(pieces: Iterator[Numbers]) -> Numbers:
    return np.concatenate(list(pieces))


def _mapped(pieces: Iterator[Numbers]) -> Numbers:
    """The numbers in a temporary file, which goes when nobody maps it any more."""
    return np.frombuffer(mapped_file(piece.tobytes() for piece in pieces), np.int32)


def windows_in_lanes(n_windows: int, n_lanes: int) -> list[list[int]]:
    """The batches that read a stream in lanes side by side, each from its window to the next one.

    Lane i is row i of every batch. Lanes differ by one window at most, so the last batch may lack
    the last lanes; every window is in exactly one batch.

    Example:
        >>> windows_in_lanes(7, 3)
        [[0, 3, 5], [1, 4, 6], [2]]
    """
    short, n_long = divmod(n_windows, n_lanes)
    starts = [lane * short + min(lane, n_long) for lane in range(min(n_lanes, n_windows))]
    batches = [[start + step for start in starts] for step in range(short)]
    return batches + ([[start + short for start in starts[:n_long]]] if n_long else [])
