"""Constituent trees in brackets, read from the files that treebanks come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from cellwise.brackets import BracketError, Tree, parse
from cellwise.data.archives import members
from cellwise.data.lines import at_least_one, decoded, read_lines
from cellwise.data.spooled import Form
from cellwise.errors import DataError

ENDINGS = (".txt", ".mrg", ".tree", ".trees", ".ptb", ".psd")
"""What the names of files with trees end in, also before `.gz`; others in a folder are left out."""


TREE: Form[Tree] = Form(
    lambda tree: [tree.labels, tree.words, tree.parents], lambda found: Tree(*map(tuple, found))
)
"""A tree as JSON values."""


def read_trees(path: Path) -> Iterator[Tree]:
    """The trees of a file, of all files of a `.zip`, or of a folder and those in it, as they come.

    Trees are in brackets, in the style of the Penn or of the Sentiment Treebank, on one line or
    several. Files are read in the order of their names.

    Raises:
        DataError: the file cannot be read, or its brackets are no trees; or, at the end, there was
            no tree.
    """
    return (tree for _, tree in read_treebank(path))


def read_treebank(path: Path) -> Iterator[tuple[str, Tree]]:
    """As `read_trees`, each tree behind the name of its file.

    Raises:
        DataError: as `read_trees` does.
    """
    trees = ((name, tree) for name, lines in _files(path) for tree in _trees(lines, name))
    return at_least_one(trees, f"{path}: there is no tree in it")


def _files(path: Path) -> Iterator[tuple[str, Iterable[str]]]:
    """The names of files with trees, and their lines."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if _is_text(file.name) and file.is_file():
                yield str(file), _lines(file)
    elif path.suffix == ".zip":
        yield from _members(path)
    else:
        yield str(path), _lines(path)


def _is_text(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith(ENDINGS)


def _lines(path: Path) -> Iterator[str]:
    return (line for _, line in read_lines(path))


def _trees(lines: Iterable[str], name: str) -> Iterator[Tree]:
    try:
        yield from parse(lines)
    except BracketError as error:
        place = f"{name}, line {error.line}, column {error.column}"
        raise DataError(f"{place}: {error.cause}") from error


def _members(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The files of an archive that hold trees: the name within the archive's, and the lines."""
    for member, raw in members(path, _is_text):
        name = f"{path}/{member}"
        yield name, decoded(raw, name).split("\n")
