"""Texts with labels: the forms in which files hold them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cellwise.brackets import Tree
from cellwise.data.labelled_folders import read_folders
from cellwise.data.labelled_rows import Columns, Row, read_json_lines, read_table
from cellwise.data.lines import at_least_one, read_lines
from cellwise.data.spooled import Form
from cellwise.data.trees import read_trees
from cellwise.errors import DataError

Format = Literal["tsv", "csv", "jsonl", "folders", "trec", "trees"]

_QUESTION = re.compile(r"(?P<coarse>[^\s:]+):(?P<fine>\S+)\s+(?P<text>\S.*)")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and the labels that are right for it; one, unless texts may have several."""

    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """How files hold texts and labels.

    Attributes:
        format: the form.
        columns: where text and label stand, in tables and JSON lines.
        separator: what stands between several labels of a text; empty: a text has one label.
        fine: take fine labels of questions rather than coarse ones.
        encoding: of the files, trees apart, which are UTF-8.
    """

    format: Format = "tsv"
    columns: Columns = field(default_factory=Columns)
    separator: str = ""
    fine: bool = False
    encoding: str = "utf-8"


LABELLED: Form[Labelled] = Form(
    lambda text: [text.text, text.labels], lambda found: Labelled(found[0], tuple(found[1]))
)
"""A text with its labels as JSON values."""


def read_labelled(path: Path, layout: Layout) -> Iterator[Labelled]:
    """The texts of a file, or of a folder, with their labels, as they come.

    `tsv`: columns separated by tabs. `csv`: columns separated by commas, which quotes may hold
    together. `jsonl`: a JSON object a line. `folders`: a file a text, in a folder that names its
    class, also within a .zip. `trec`: `COARSE:fine question` a line. `trees`: a tree in brackets,
    of which the root's label counts.

    Raises:
        DataError: the file cannot be read, a text is empty, or a label is missing; or, at the end,
            there was no text.
    """
    rows = _READERS[layout.format](path, layout)
    found = (_labelled(row, layout) for row in rows)
    return at_least_one(found, f"{path}: there is no text in it")


def phrases(tree: Tree) -> Iterator[Labelled]:
    """Every phrase of a tree, the whole first, with the label of its node.

    Example:
        >>> from cellwise.brackets import parse
        >>> [tree] = parse(["(3 (2 It) (4 (2 's) (4 good)))"])
        >>> [(phrase.text, *phrase.labels) for phrase in phrases(tree)][:2]
        [("It 's good", '3'), ('It', '2')]
    """
    words, first = list(tree.sentence()), [0] * len(tree)
    last = [0] * len(tree)
    n_words = 0
    for node, word in enumerate(tree.words):
        first[node] = n_words
        n_words += word is not None
        last[node] = n_words
    for node in range(len(tree) - 1, 0, -1):
        parent = tree.parents[node]
        last[parent] = max(last[parent], last[node])
    for label, begin, end in zip(tree.labels, first, last, strict=True):
        yield Labelled(" ".join(words[begin:end]), (label,))


def split_labels(text: str, separator: str) -> tuple[str, ...]:
    """The labels that a text names, each once; with an empty separator one, or none.

    Example:
        >>> split_labels("sports, politics", ",")
        ('sports', 'politics')
    """
    pieces = text.split(separator) if separator else [text]
    return tuple(dict.fromkeys(piece.strip() for piece in pieces if piece.strip()))


def _labelled(row: Row, layout: Layout) -> Labelled:
    if not row.text.strip():
        raise DataError(f"{row.place}: the text is empty")
    labels = (
        tuple(dict.fromkeys(row.label))
        if isinstance(row.label, tuple)
        else split_labels(row.label, layout.separator)
    )
    if not labels and not layout.separator:
        raise DataError(f"{row.place}: the label is empty")
    if len(labels) > 1 and not layout.separator:
        raise DataError(
            f"{row.place}: there are {len(labels)} labels; for texts with several set "
            "data.multi_label = true"
        )
    return Labelled(row.text.strip(), labels)


def _table(path: Path, layout: Layout) -> Iterator[Row]:
    delimiter = "\t" if layout.format == "tsv" else ","
    return read_table(path, layout.columns, delimiter=delimiter, encoding=layout.encoding)


def _json_lines(path: Path, layout: Layout) -> Iterator[Row]:
    return read_json_lines(path, layout.columns, encoding=layout.encoding)


def _folders(path: Path, layout: Layout) -> Iterator[Row]:
    return read_folders(path, encoding=layout.encoding)


def _questions(path: Path, layout: Layout) -> Iterator[Row]:
    for number, line in read_lines(path, encoding=layout.encoding):
        if not line.strip():
            continue
        yield _question(line, layout, f"{path}, line {number}")


def _question(line: str, layout: Layout, place: str) -> Row:
    found = _QUESTION.fullmatch(line.strip())
    if found is None:
        raise DataError(f"{place}: expected 'COARSE:fine question'")
    label = f"{found['coarse']}:{found['fine']}" if layout.fine else found["coarse"]
    return Row(place, found["text"], label)


def _roots(path: Path, _: Layout) -> Iterator[Row]:
    for number, tree in enumerate(read_trees(path), start=1):
        yield Row(f"{path}, tree {number}", " ".join(tree.sentence()), tree.labels[0])


_READERS: Mapping[Format, Callable[[Path, Layout], Iterator[Row]]] = {
    "tsv": _table,
    "csv": _table,
    "jsonl": _json_lines,
    "folders": _folders,
    "trec": _questions,
    "trees": _roots,
}
