"""Word vectors in text files, as word2vec and GloVe write them."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cellwise.data.lines import read_lines
from cellwise.errors import DataError


@dataclass(frozen=True)
class Vectors:
    """Words with their vectors: `[size]` each, float32, in the order of the file."""

    size: int
    of_word: dict[str, NDArray[np.float32]]


def read_vectors(path: Path, wanted: Container[str], *, first: int = 0) -> Vectors:
    """The vectors of the words that are wanted, and of the first words of a file.

    A line holds a word and its numbers, separated by blanks; word2vec puts a line before them that
    says how many words and numbers there are. A word may hold blanks itself. Of a word that comes
    twice the first vector counts.

    Args:
        path: the file, `.gz` or not.
        wanted: words to read.
        first: read so many words from the start of the file, wanted or not.

    Raises:
        DataError: the file cannot be read, or a line has another number of numbers.
    """
    size, found = 0, dict[str, NDArray[np.float32]]()
    for count, (place, pieces) in enumerate(_rows(path)):
        size = size or len(pieces) - 1
        if not 0 < size < len(pieces):
            wanted_size = f"{size} numbers, as the first one has" if size else "numbers"
            raise DataError(f"{place}: '{pieces[0]}' needs {wanted_size}, not {len(pieces) - 1}")
        word = " ".join(pieces[:-size])
        if (count < first or word in wanted) and word not in found:
            found[word] = _numbers(pieces[-size:], place)
    if not size:
        raise DataError(f"{path}: there is no vector in it")
    return Vectors(size, found)


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The place and the pieces of each line, without an empty one and word2vec's first."""
    for number, line in read_lines(path):
        pieces = line.strip(" ").split(" ")
        counts = number == 1 and len(pieces) == 2 and all(piece.isdecimal() for piece in pieces)
        if pieces != [""] and not counts:
            yield f"{path}, line {number}", pieces


def _numbers(pieces: list[str], place: str) -> NDArray[np.float32]:
    try:
        return np.array(pieces, np.float32)
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error
