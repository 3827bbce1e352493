"""Captions of images: files that name an image and say what it shows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cellwise.data.lines import read_lines
from cellwise.errors import DataError

HEADER = ["image", "caption"]

NUMBERED = re.compile(r"#\d+$")
"""What Flickr8k.token.txt puts behind an image's name to tell its captions apart."""


@dataclass(frozen=True, slots=True)
class Captioned:
    """The name of an image, and the captions that people gave it."""

    image: str
    captions: tuple[str, ...]


def read_captions(path: Path) -> list[Captioned]:
    """The images of a file with all their captions, in the order of first occurrence.

    The file is CSV with the header `image,caption`, a caption with commas in quotes (Kaggle's
    Flickr8k and Flickr30k), or has a tab between an image's name and a caption, where `#0` and so
    on may follow the name (Flickr8k.token.txt). An image has as many lines as captions.

    Raises:
        DataError: the file cannot be read, or a line has not two columns or an empty one.
    """
    captions: dict[str, list[str]] = {}
    for place, columns in _rows(path):
        if len(columns) != 2:
            raise DataError(
                f"{place}: expected an image and a caption, and found {len(columns)} columns; "
                'a caption with commas has to stand in quotes ("…")'
            )
        image, caption = NUMBERED.sub("", columns[0].strip()), columns[1].strip()
        if not image or not caption:
            raise DataError(f"{place}: the {'caption' if image else 'name of the image'} is empty")
        captions.setdefault(image, []).append(caption)
    if not captions:
        raise DataError(f"{path}: the file holds no caption")
    return [Captioned(image, tuple(found)) for image, found in captions.items()]


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The columns of each line that is not blank, with its place."""
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    if "\t" in first:
        for number, line in read_lines(path):
            if line.strip():
                yield f"{path}, line {number}", line.split("\t")
        return
    rows = csv.reader((f"{line}\n" for _, line in read_lines(path)), strict=True)
    try:
        header = next((row for row in rows if row), [])
        if header != HEADER:
            raise DataError(
                f"{path}, line {rows.line_num}: expected the header image,caption or a tab "
                f"between an image and its caption, and found '{first.strip()[:60]}'"
            )
        for row in rows:
            if row:
                yield f"{path}, line {rows.line_num}", row
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: {error}") from error
