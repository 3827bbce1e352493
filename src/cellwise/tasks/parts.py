"""The parts of a task's data: files named in its configuration, or a share of train as dev."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, get_args

from cellwise.data.lines import fraction
from cellwise.data.spooled import Form, held
from cellwise.errors import DataError
from cellwise.tasks.base import Part, Passing, unshown

Item = TypeVar("Item")
Made = TypeVar("Made")


class Named(Protocol):
    """A data section that names its parts, and says where those of train are kept."""

    train: str
    dev: str
    test: str
    dev_share: float
    in_memory: bool


class Parts(Mapping[Part, Made]):
    """What a function makes of each part, made when it is first asked for.

    So a model is judged on a file of its own where training files are not at hand any more.

    Args:
        make: gives a part by its name.
    """

    def __init__(self, make: Callable[[Part], Made]):
        self._make, self._made = make, dict[Part, Made]()

    def __getitem__(self, part: Part) -> Made:
        if part not in self._made:
            self._made[part] = self._make(part)
        return self._made[part]

    def __iter__(self) -> Iterator[Part]:
        return iter(get_args(Part))

    def __len__(self) -> int:
        return len(get_args(Part))


def read_parts(
    data: Named,
    read: Callable[[Path], Iterable[Item]],
    *,
    key: Callable[[Item], str],
    what: str,
    form: Form[Item],
    passing: Passing = unshown,
) -> Parts[Sequence[Item]]:
    """The examples of each part; without a dev file, a share of train is dev.

    Args:
        data: names the files, also by patterns; a test part that is not named is empty.
        read: reads one of them.
        key: the text of an example by whose hash it is chosen for dev: equal texts stay together.
        what: what an example is called in messages, in the plural.
        form: how training examples are written to a temporary file, where they are kept in one.
        passing: gives the items of a pass over training files, and may show how far it is.

    Raises:
        DataError: when a part is asked for: a file cannot be read, or train is too small to be
            split.
    """

    def learnt() -> Iterable[Item]:
        return passing(_all_of(data.train, read), "reading")

    @functools.cache
    def shares() -> dict[Part, Sequence[Item]]:
        dev: list[Item] = []
        train = _without(dev, learnt(), lambda one: fraction(key(one)) < data.dev_share)
        rest = held(train, form, in_memory=data.in_memory)
        if not dev or not rest:
            raise DataError(
                f"{data.train}: too few {what} to split off data.dev_share = {data.dev_share} "
                "of them; name a file as data.dev"
            )
        return {"train": rest, "dev": dev}

    def make(part: Part) -> Sequence[Item]:
        if part == "test":
            return list(_all_of(data.test, read)) if data.test else []
        if not data.dev:
            return shares()[part]
        if part == "dev":
            return list(_all_of(data.dev, read))
        return held(learnt(), form, in_memory=data.in_memory)

    return Parts(make)


def _all_of(name: str, read: Callable[[Path], Iterable[Item]]) -> Iterator[Item]:
    """The examples of a file, or of all files that a pattern such as `data/*.tsv` matches."""
    return (item for path in files_of(name) for item in read(path))


def _without(
    chosen: list[Item], items: Iterable[Item], choose: Callable[[Item], bool]
) -> Iterator[Item]:
    """The items but for those that are chosen, which are put aside."""
    for item in items:
        if choose(item):
            chosen.append(item)
        else:
            yield item


def files_of(name: str) -> list[Path]:
    """The file of a name; where there is none and it is a pattern, those that match, sorted.

    Raises:
        DataError: no file matches.
    """
    path = Path(name)
    try:
        if not any(mark in name for mark in "*?[") or path.exists():
            return [path]
        start = path.parent
        while not start.is_dir():
            start = start.parent
        found = sorted(start.glob(str(path.relative_to(start))))
    except (ValueError, OSError) as error:  # such as ** within a name, or a name that is too long
        raise DataError(f"{name} is no pattern of files: {error}") from error
    if not found:
        raise DataError(f"{name}: there is no such file, and no file matches this pattern")
    return found
