"""Dependency trees of CoNLL-U: each word's head and its relation to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellwise.data.conllu import COLUMNS, read_words
from cellwise.errors import DataError

_HEAD, _RELATION = COLUMNS.index("head"), COLUMNS.index("deprel")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """A sentence whose words are the nodes of a tree, as `Forest.from_parents` takes it.

    Attributes:
        tokens: the words.
        parents: the number of each word's head, counted from 0; -1 for the root.
        relations: the relation of each word to its head.
    """

    tokens: tuple[str, ...]
    parents: tuple[int, ...]
    relations: tuple[str, ...]


def read_dependencies(path: Path, *, subtypes: bool = True) -> list[Dependencies]:
    """The dependency trees of a CoNLL-U file.

    Args:
        path: the file, `.gz` or not.
        subtypes: False: relations without what follows their colon, `nsubj` for `nsubj:pass`.

    Raises:
        DataError: a line is none of CoNLL-U, or the heads of a sentence make no tree.

    Source: https://universaldependencies.org/format.html
    """
    sentences = [_dependencies(rows, path, subtypes) for rows in read_words(path)]
    if not sentences:
        raise DataError(f"{path}: the file holds no sentence, only comments or blank lines")
    return sentences


def _dependencies(
    rows: Sequence[tuple[int, list[str]]], path: Path, subtypes: bool
) -> Dependencies:
    for word, (line, row) in enumerate(rows, start=1):
        if int(row[0]) != word:
            raise DataError(
                f"{path}, line {line}: the word is numbered {row[0]}, but is word {word} of its "
                "sentence; a blank line separates sentences"
            )
    parents = tuple(_parent(row, line, path, len(rows)) for line, row in rows)
    lines = [line for line, _ in rows]
    roots = [word for word, parent in enumerate(parents) if parent < 0]
    if len(roots) != 1:
        line = lines[roots[1]] if roots else lines[0]
        found = f"is a second root, beside word {roots[0] + 1}" if roots else "has no root"
        subject = f"word {roots[1] + 1}" if roots else "the sentence that begins here"
        raise DataError(f"{path}, line {line}: {subject} {found}; one word alone has the head 0")
    _check_circles(parents, lines, path)
    relations = (row[_RELATION] for _, row in rows)
    return Dependencies(
        tuple(row[1] for _, row in rows),
        parents,
        tuple(name if subtypes else name.partition(":")[0] for name in relations),
    )


def _parent(row: Sequence[str], line: int, path: Path, n_words: int) -> int:
    head = row[_HEAD]
    if not head.isdecimal() or len(head) > 9 or int(head) > n_words:
        raise DataError(
            f"{path}, line {line}: the head is '{head}', but must be the number of a word, "
            f"from 1 to {n_words}, or 0 for the root"
        )
    return int(head) - 1


def _check_circles(parents: Sequence[int], lines: Sequence[int], path: Path) -> None:
    """Follow every word to the root once; a word met twice on one way is on a circle."""
    way_of: dict[int, int] = {}
    for start in range(len(parents)):
        word = start
        while word >= 0 and word not in way_of:
            way_of[word] = start
            word = parents[word]
        if word >= 0 and way_of[word] == start:
            raise DataError(
                f"{path}, line {lines[word]}: the heads of word {word + 1} lead back to it; "
                "they must lead to the root"
            )
