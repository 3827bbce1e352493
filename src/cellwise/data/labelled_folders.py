"""Texts with labels in folders: a file a text, in a folder that names its class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from cellwise.data.archives import members
from cellwise.data.labelled_rows import Row
from cellwise.data.lines import decoded
from cellwise.errors import DataError

UNSEEN = (".", "__MACOSX")
"""How the names of files and folders begin that systems leave behind."""


def read_folders(path: Path, *, encoding: str) -> Iterator[Row]:
    """The files below a folder, or in a `.zip`, in the order of their names.

    The folder that a file lies in is its class. Files that lie in none, such as a README beside the
    classes, and hidden ones are left out.

    Raises:
        DataError: there is no such folder, or a file cannot be read.
    """
    if path.suffix == ".zip":
        yield from _members(path, encoding)
        return
    if not path.is_dir():
        there = "is no folder" if path.exists() else "there is no such folder"
        raise DataError(f"{path}: {there}; data.format = 'folders' needs one, or a .zip")
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        if _counts(PurePosixPath(file.relative_to(path).as_posix())):
            yield Row(str(file), _read(file, encoding), file.parent.name)


def _counts(name: PurePosixPath) -> bool:
    return len(name.parts) > 1 and not any(part.startswith(UNSEEN) for part in name.parts)


def _read(file: Path, encoding: str) -> str:
    try:
        return decoded(file.read_bytes(), str(file), encoding=encoding)
    except OSError as error:
        raise DataError(f"{file}: the file cannot be read: {error.strerror}") from error


def _members(path: Path, encoding: str) -> Iterator[Row]:
    def wanted(name: str) -> bool:
        return not name.endswith("/") and _counts(PurePosixPath(name))

    for name, raw in members(path, wanted):
        place = f"{path}/{name}"
        yield Row(place, decoded(raw, place, encoding=encoding), PurePosixPath(name).parent.name)
