"""Two-column text: pairs of texts, and tokens with their labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cellwise.data.lines import at_least_one, read_lines
from cellwise.data.spooled import Form
from cellwise.errors import DataError


@dataclass(frozen=True, slots=True)
class TextPair:
    """A source text and one right target text."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """A sentence: its tokens, and a label for each."""

    tokens: tuple[str, ...]
    labels: tuple[str, ...]


TEXT_PAIR: Form[TextPair] = Form(
    lambda pair: [pair.source, pair.target], lambda found: TextPair(*found)
)
"""A pair as JSON values."""

TAGGED: Form[Tagged] = Form(
    lambda sentence: [sentence.tokens, sentence.labels],
    lambda found: Tagged(tuple(found[0]), tuple(found[1])),
)
"""A sentence as JSON values."""


def read_pairs(path: Path) -> Iterator[TextPair]:
    """The pairs of a file with one `source TAB target` a line; blank lines are skipped.

    Raises:
        DataError: a line has not two columns, or one of them is empty; or, at the end, there was no
            pair.
    """
    pairs = (_pair(line, path, number) for number, line in read_lines(path) if line.strip())
    return at_least_one(pairs, f"{path}: the file holds no pair, only blank lines")


def read_tagged(path: Path) -> Iterator[Tagged]:
    """The sentences of a file with one `token TAB label` a line and a blank line between sentences.

    A line without a tab that begins with `#` is a comment. A token may be blank, as characters that
    a corpus could not keep are: it has a label and counts.

    Raises:
        DataError: a line has not two columns, or no label; or, at the end, there was no sentence.
    """
    sentences = (
        Tagged(tuple(token for token, _ in rows), tuple(label for _, label in rows))
        for rows in _blocks(path)
    )
    return at_least_one(sentences, f"{path}: the file holds no sentence, only blank lines")


def _blocks(path: Path) -> Iterator[list[tuple[str, str]]]:
    rows: list[tuple[str, str]] = []
    for number, line in read_lines(path):
        if line.startswith("#") and "\t" not in line:
            continue
        if line.strip():
            pair = _pair(line, path, number, names=("token", "label"))
            rows.append((pair.source, pair.target))
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows


def _pair(
    line: str, path: Path, number: int, names: tuple[str, str] = ("source", "target")
) -> TextPair:
    columns = line.split("\t")
    if len(columns) != 2:
        raise DataError(
            f"{path}, line {number}: expected two columns separated by a tab, "
            f"'{names[0]} TAB {names[1]}', and found {len(columns)}"
        )
    for name, column in zip(names, columns, strict=True):
        if not column.strip() and name != "token":
            raise DataError(f"{path}, line {number}: the {name} is empty")
    return TextPair(columns[0].strip(), columns[1].strip())
