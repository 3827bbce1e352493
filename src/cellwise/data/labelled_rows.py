"""Texts with labels in the rows of tables and in JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwise.data.json_values import json_value, whole_text
from cellwise.data.lines import read_lines
from cellwise.errors import DataError, nearest

Column = int | str
"""A column by its number, counted from 1, or by the name that the first line gives it."""

LONGEST_FIELD = 2**31 - 1
"""Python's reader of CSV stops at 131,072 characters unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Row:
    """Where a text stands, the text, and its label as it is written, or a list of labels."""

    place: str
    text: str
    label: str | tuple[str, ...]


@dataclass(frozen=True)
class Columns:
    """The columns of text and label.

    Attributes:
        text: one or several, whose texts are joined by a blank.
        label: that of the label.
        header: whether the first line is none of the data, although columns are meant by number.
    """

    text: tuple[Column, ...] = ("text",)
    label: Column = "label"
    header: bool = False

    @property
    def has_header(self) -> bool:
        """Whether the first line is none of the data: always where a column is meant by name."""
        by_name = any(isinstance(column, str) for column in (*self.text, self.label))
        return self.header or by_name


def read_table(path: Path, columns: Columns, *, delimiter: str, encoding: str) -> Iterator[Row]:
    """The rows of a table; blank lines are skipped.

    Cells between tabs are taken as they are; between commas, quotes hold a cell together.

    Raises:
        DataError: the file cannot be read, or a column is missing.
    """
    rows = _cells(path, delimiter, encoding)
    header = next(rows, ("", [""]))[1] if columns.has_header else []
    places = places_of(columns, header, path)
    yield from (row_of(cells, places, place) for place, cells in rows)


def read_json_lines(path: Path, columns: Columns, *, encoding: str) -> Iterator[Row]:
    """The objects of a file with one a line; blank lines are skipped.

    A label may be a text, a number, true or false, or a list of these.

    Raises:
        DataError: the file cannot be read, a line is no JSON object, or a key is missing.
    """
    for number, line in read_lines(path, encoding=encoding):
        if not line.strip():
            continue
        yield json_row(line, columns, f"{path}, line {number}")


def places_of(columns: Columns, header: Sequence[str], path: Path) -> list[int]:
    """Where the columns of text and the one of the label stand in a row, counted from 0.

    Raises:
        DataError: the header has no column of that name.
    """
    names = [name.strip() for name in header]
    return [_place_of(column, names, path) for column in (*columns.text, columns.label)]


def row_of(cells: Sequence[str], places: Sequence[int], place: str) -> Row:
    """The row that cells hold. Raises DataError: there are too few of them."""
    if len(cells) <= max(places):
        raise DataError(f"{place}: column {max(places) + 1} is missing; the row has {len(cells)}")
    *texts, label = (cells[column] for column in places)
    return Row(place, " ".join(text.strip() for text in texts), label)


def json_row(line: str, columns: Columns, place: str) -> Row:
    """The row that a JSON object holds. Raises DataError: it is none, or lacks a key."""
    found = _object(line, place)
    text = " ".join(_text(found, str(key), place) for key in columns.text)
    return Row(place, text, _label(found, str(columns.label), place))


def _cells(path: Path, delimiter: str, encoding: str) -> Iterator[tuple[str, list[str]]]:
    """The place and the cells of each row that is not blank."""
    lines = read_lines(path, encoding=encoding)
    if delimiter == "\t":
        for number, line in lines:
            if line.strip():
                yield f"{path}, line {number}", line.split("\t")
        return
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader((f"{line}\n" for _, line in lines), delimiter=delimiter, strict=True)
    first = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield f"{path}, line {first}", cells
            first = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {first}: no row of CSV: {error}") from error


def _place_of(column: Column, header: Sequence[str], path: Path) -> int:
    if isinstance(column, int):
        return column - 1
    if column not in header:
        raise DataError(
            f"{path}, line 1: there is no column '{column}'; the columns are "
            f"{_listed(header)}. {nearest(column, header)}".rstrip()
            + " Columns without names are chosen by number, as in data.text_column = 1"
        )
    return list(header).index(column)


def _object(line: str, place: str) -> dict[str, Any]:
    found = json_value(line, place, more="column")
    if not isinstance(found, dict):
        raise DataError(f'{place}: expected a JSON object, as in {{"text": …, "label": …}}')
    return found


def _value(found: dict[str, Any], key: str, place: str) -> Any:
    if key not in found:
        keys = list(found)
        raise DataError(
            f"{place}: there is no key '{key}'; the keys are {_listed(keys)}. "
            f"{nearest(key, keys)}".rstrip()
        )
    return found[key]


def _text(found: dict[str, Any], key: str, place: str) -> str:
    text = _value(found, key, place)
    if not isinstance(text, str):
        raise DataError(f"{place}: the value of '{key}' is no text")
    return whole_text(text.strip(), f"the value of '{key}'", place)


def _label(found: dict[str, Any], key: str, place: str) -> str | tuple[str, ...]:
    value = _value(found, key, place)
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        names = (whole_text(_written(one), f"the value of '{key}'", place) for one in value)
        return tuple(name for name in names if name)
    if not isinstance(value, str | int | float):
        raise DataError(f"{place}: the value of '{key}' is no label and no list of labels")
    return whole_text(_written(value), f"the value of '{key}'", place)


def _written(value: str | float) -> str:
    """A label as JSON writes it; a text as it is."""
    return value.strip() if isinstance(value, str) else json.dumps(value)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    return shown + (", …" if len(names) > 8 else "")
