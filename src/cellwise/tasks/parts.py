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
        data: names the files; a test part that is not named is empty.
        read: reads one of them.
        key: the text of an example by whose hash it is chosen for dev: equal texts stay together.
        what: what an example is called in messages, in the plural.

    Raises:
        DataError: a file cannot be read, or train is too small to be split.
    """
    train = read(Path(data.train))
    test = read(Path(data.test)) if data.test else []
    if data.dev:
        return {"train": train, "dev": read(Path(data.dev)), "test": test}
    rest, dev = _split(train, [fraction(key(item)) < data.dev_share for item in train])
    if not dev or not rest:
        raise DataError(
            f"{data.train}: too few {what} to split off data.dev_share = {data.dev_share} "
            "of them; name a file as data.dev"
        )
    return {"train": rest, "dev": dev, "test": test}


def _split(items: Sequence[Item], chosen: Sequence[bool]) -> tuple[list[Item], list[Item]]:
    pairs = list(zip(items, chosen, strict=True))
    return [item for item, yes in pairs if not yes], [item for item, yes in pairs if yes]
