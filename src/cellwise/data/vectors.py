"""Word vectors in text files, as word2vec and GloVe write them, and in safetensors."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from cellwise.data.json_values import json_value, whole_text
from cellwise.data.lines import read_lines
from cellwise.errors import DataError


@dataclass(frozen=True)
class Vectors:
    """Words with their vectors: `[size]` each, float32, in the order of the file."""

    size: int
    of_word: dict[str, NDArray[np.float32]]


def read_vectors(
    path: Path, wanted: Container[str], *, first: int = 0, lowercase: bool = False
) -> Vectors:
    """The vectors of the words that are wanted, and of the first words of a file.

    In a file `NAME.safetensors` there is one matrix, `[words, size]`. Its words are in the metadata
    under "words", as a JSON list, or a word a line in a file `NAME.txt` beside it.

    In every other file a line holds a word and its numbers, separated by blanks; word2vec puts a
    line before them that says how many words and numbers there are. A word may hold blanks itself.

    Of a word that comes twice the first vector counts, in lower case the one that is written so.

    Args:
        path: the file; text may be gzipped.
        wanted: words to read.
        first: read so many words from the start of the file, wanted or not.
        lowercase: take the file's words in lower case.

    Raises:
        DataError: the file cannot be read, a line has another number of numbers, or a matrix other
            rows than there are words.
    """
    taken = _Taken(wanted, first, lowercase)
    if path.suffix == ".safetensors":
        return Vectors(_of_matrix(path, taken), taken.found)
    size = told = 0
    count = -1
    for number, line in read_lines(path):
        pieces, place = line.strip(" ").split(" "), f"{path}, line {number}"
        if number == 1 and _are_counts(pieces):
            size = told = int(pieces[1])
        if pieces == [""] or (number == 1 and told):
            continue
        count += 1
        size = size or len(pieces) - 1
        if not 0 < size < len(pieces):
            first_one = "line says" if told else "one has"
            wanted_size = f"{size} numbers, as the first {first_one}" if size else "numbers"
            raise DataError(f"{place}: '{pieces[0]}' needs {wanted_size}, not {len(pieces) - 1}")
        name = taken.name(" ".join(pieces[:-size]), count)
        if name is not None:
            taken.found[name] = _numbers(pieces[-size:], place)
    if count < 0:
        raise DataError(f"{path}: there is no vector in it")
    return Vectors(size, taken.found)


class _Taken:
    """Which words of a file are taken, and what they are called."""

    def __init__(self, wanted: Container[str], first: int, lowercase: bool):
        self.found: dict[str, NDArray[np.float32]] = {}
        self._wanted, self._first, self._lowercase = wanted, first, lowercase
        self._exact: set[str] = set()

    def name(self, word: str, count: int) -> str | None:
        """What the word `count` of the file, from 0, is called; None: it is not taken."""
        name = word.lower() if self._lowercase else word
        if (count >= self._first and name not in self._wanted) or name in self._exact:
            return None
        if name == word:
            self._exact.add(name)
        elif name in self.found:
            return None
        return name


def _are_counts(pieces: list[str]) -> bool:
    return len(pieces) == 2 and all(p.isdecimal() and len(p) < 20 for p in pieces)


def _numbers(pieces: list[str], place: str) -> NDArray[np.float32]:
    try:
        return _finite(np.array(pieces, np.float32), place)
    except ValueError as error:
        raise DataError(f"{place}: {error}") from error


def _finite(vector: NDArray[np.float32], place: str) -> NDArray[np.float32]:
    if not np.isfinite(vector).all():
        raise DataError(f"{place}: the vector holds a number that is none, or infinite")
    return vector


def _of_matrix(path: Path, taken: _Taken) -> int:
    """Take the vectors of a safetensors file; rows that nobody wants are not read. Their size."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            shapes = [file.get_slice(name).get_shape() for name in names]
            if len(names) != 1 or len(shapes[0]) != 2:
                told = (
                    ", ".join(f"{n} {s}" for n, s in zip(names, shapes, strict=True)) or "nothing"
                )
                raise DataError(f"{path}: it must hold one matrix [words, size], but holds {told}")
            words = _words_beside(path, file.metadata() or {})
            if len(words) != shapes[0][0]:
                raise DataError(f"{path}: {shapes[0][0]} vectors, but {len(words)} words")
            matrix = file.get_slice(names[0])
            for row, word in enumerate(words):
                name = taken.name(word, row)
                if name is not None:
                    taken.found[name] = _finite(matrix[row].float().numpy(), f"{path}: '{word}'")
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: no safetensors file that can be read: {error}") from error
    size: int = shapes[0][1]
    return size


def _words_beside(path: Path, metadata: dict[str, str]) -> list[str]:
    """The words of a matrix's rows: in its metadata, or in a text file beside it."""
    if "words" not in metadata:
        return [line for _, line in read_lines(path.with_suffix(".txt"))]
    place = f"{path}: the metadata 'words'"
    words = json_value(metadata["words"], place)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DataError(f"{path}: the metadata 'words' are no JSON list of texts")
    return [whole_text(word, "a word", place) for word in words]
