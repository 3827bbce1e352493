"""Constituent trees in brackets, read from the files that treebanks come in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cellwise.brackets import BracketError, Tree, parse
from cellwise.data.archives import members
from cellwise.data.lines import decoded, read_lines
from cellwise.errors import DataError

ENDINGS = (".txt", ".mrg", ".tree", ".trees", ".ptb", ".psd")
"""What the names of files with trees end in, also before `.gz`; others in a folder are left out."""


def read_trees(path: Path) -> list[Tree]:
    """The trees of a file, of all files of a `.zip`, or of a folder and those in it.

    Trees are in brackets, in the style of the Penn or of the Sentiment Treebank, on one line or
    several. Files are read in the order of their names.

    Raises:
        DataError: the file cannot be read, or its brackets are no trees.
    """
    return [tree for _, trees in read_treebank(path) for tree in trees]


def read_treebank(path: Path) -> list[tuple[str, list[Tree]]]:
    """As `read_trees`, file by file: each with its name.

    Raises:
        DataError: the file cannot be read, or its brackets are no trees.
    """
    if path.is_dir():
        paths = sorted(file for file in path.rglob("*") if _is_text(file.name) and file.is_file())
        found = [(str(file), _trees(_lines(file), str(file))) for file in paths]
    elif path.suffix == ".zip":
        found = [(name, _trees(iter(lines), name)) for name, lines in _members(path)]
    else:
        found = [(str(path), _trees(_lines(path), str(path)))]
    if not any(trees for _, trees in found):
        raise DataError(f"{path}: there is no tree in it")
    return found


def _is_text(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith(ENDINGS)


def _lines(path: Path) -> Iterator[str]:
    return (line for _, line in read_lines(path))


def _trees(lines: Iterator[str], name: str) -> list[Tree]:
    try:
        return list(parse(lines))
    except BracketError as error:
        place = f"{name}, line {error.line}, column {error.column}"
        raise DataError(f"{place}: {error.cause}") from error


def _members(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The files of an archive that hold trees: the name within the archive's, and the lines."""
    for member, raw in members(path, _is_text):
        name = f"{path}/{member}"
        yield name, decoded(raw, name).split("\n")
