"""The parts of a task's data: files named in its configuration, or a share of train as dev."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from cellwise.data.lines import fraction
from cellwise.errors import DataError
from cellwise.tasks.base import Part

Item = TypeVar("Item")


class Named(Protocol):
    """A data section that names its parts."""

    train: str
    dev: str
    test: str
    dev_share: float


def read_parts(
    data: Named, read: Callable[[Path], list[Item]], *, key: Callable[[Item], str], what: str
) -> dict[Part, list[Item]]:
    """The examples of each part; without a dev file, a share of train is dev.

    Args:
        data: names the files, also by patterns; a test part that is not named is empty.
        read: reads one of them.
        key: the text of an example by whose hash it is chosen for dev: equal texts stay together.
        what: what an example is called in messages, in the plural.

    Raises:
        DataError: a file cannot be read, or train is too small to be split.
    """
    train = _all_of(data.train, read)
    test = _all_of(data.test, read) if data.test else []
    if data.dev:
        return {"train": train, "dev": _all_of(data.dev, read), "test": test}
    rest, dev = _split(train, [fraction(key(item)) < data.dev_share for item in train])
    if not dev or not rest:
        raise DataError(
            f"{data.train}: too few {what} to split off data.dev_share = {data.dev_share} "
            "of them; name a file as data.dev"
        )
    return {"train": rest, "dev": dev, "test": test}


def _all_of(name: str, read: Callable[[Path], list[Item]]) -> list[Item]:
    """The examples of a file, or of all files that a pattern such as `data/*.tsv` matches."""
    return [item for path in files_of(name) for item in read(path)]


def files_of(name: str) -> list[Path]:
    """The file of a name; where there is none and it is a pattern, those that match, sorted.

    Raises:
        DataError: no file matches.
    """
    path = Path(name)
    if not any(mark in name for mark in "*?[") or path.exists():
        return [path]
    found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not found:
        raise DataError(f"{name}: no file matches this pattern")
    return found


def _split(items: Sequence[Item], chosen: Sequence[bool]) -> tuple[list[Item], list[Item]]:
    pairs = list(zip(items, chosen, strict=True))
    return [item for item, yes in pairs if not yes], [item for item, yes in pairs if yes]
