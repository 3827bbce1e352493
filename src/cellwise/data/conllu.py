"""CoNLL-U, the format of Universal Dependencies, as sentences with one label a token.

A small reader of our own: pyconll 3 reads no gzip, and its errors do not say in which line of which
file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cellwise.data.columns import Tagged
from cellwise.data.lines import at_least_one, read_lines
from cellwise.errors import DataError

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


def read_conllu(path: Path, column: str = "upos") -> Iterator[Tagged]:
    """The sentences of a CoNLL-U file, labelled by one of its columns.

    Lines of multiword tokens (`3-4`) and empty nodes (`5.1`) are skipped: their words have lines of
    their own.

    Raises:
        DataError: a line has not ten columns, its number is none, its label is empty; or, at the
            end, there was no sentence.

    Source: https://universaldependencies.org/format.html
    """
    position = COLUMNS.index(column)

    def label(number: int, row: list[str]) -> str:
        if not row[position]:
            raise DataError(
                f"{path}, line {number}: the column '{column}' is empty; what is not known is '_'"
            )
        return row[position]

    sentences = (
        Tagged(tuple(row[1] for _, row in rows), tuple(label(*row) for row in rows))
        for rows in read_words(path)
    )
    complaint = f"{path}: the file holds no sentence, only comments or blank lines"
    return at_least_one(sentences, complaint)


def read_words(path: Path) -> Iterator[list[tuple[int, list[str]]]]:
    """The words of each sentence: the number of the line, and its ten columns.

    Raises:
        DataError: a line has not ten columns, or its number is none.
    """
    rows: list[tuple[int, list[str]]] = []
    for number, line in read_lines(path):
        if line.startswith("#"):
            continue
        if line.strip():
            rows += ((number, row) for row in _word(line, path, number))
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows


def _word(line: str, path: Path, number: int) -> list[list[str]]:
    """The columns of a word's line; nothing for a multiword token or an empty node."""
    row = line.split("\t")
    if len(row) != len(COLUMNS):
        raise DataError(
            f"{path}, line {number}: a CoNLL-U line has {len(COLUMNS)} columns separated by tabs, "
            f"this one has {len(row)}"
        )
    if row[0].isdecimal() and len(row[0]) < 10:
        return [row]
    if not row[0].isdecimal() and row[0].replace("-", "", 1).replace(".", "", 1).isdecimal():
        return []
    raise DataError(f"{path}, line {number}: the first column, '{row[0]}', is no word number")
