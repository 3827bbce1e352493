"""Pairs of texts in files: in two columns, or in two files line by line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Protocol, get_args

from cellwise.data.columns import TextPair, read_pairs
from cellwise.data.lines import at_least_one, read_lines
from cellwise.errors import ConfigError, DataError
from cellwise.tasks.base import Part
from cellwise.tasks.parts import files_of


def read_texts(source: Path, target: Path | None) -> Iterator[TextPair]:
    """The pairs of a two-column file, or of two files whose lines belong together.

    Of two files, lines that are empty in both are skipped.

    Raises:
        DataError: a file cannot be read, the two have not the same number of lines, or one side of
            a pair is empty; or, at the end, there was no pair.
    """
    if target is None:
        return read_pairs(source)
    sides = ((text for _, text in read_lines(path)) for path in (source, target))
    pairs = (
        _joined(source, target, number, (before, after))
        for number, (before, after) in enumerate(zip_longest(*sides), 1)
        if before is None or after is None or before.strip() or after.strip()
    )
    return at_least_one(pairs, f"{source}: the file holds no pair, only blank lines")


class NamedTargets(Protocol):
    """A data section that names the files of sources, and those of targets, if they are apart."""

    train: str
    dev: str
    test: str
    target_train: str
    target_dev: str
    target_test: str


def target_files(data: NamedTargets) -> dict[Path, Path]:
    """For each file of sources that of its targets, where they are apart; patterns in order.

    Raises:
        ConfigError: one file of sources has two of targets.
        DataError: a pattern matches no file, or the two match different numbers of files.
    """
    found: dict[Path, Path] = {}
    known: dict[Path, Path] = {}
    for part in get_args(Part):
        source, target = getattr(data, part), getattr(data, f"target_{part}")
        if source and target:
            sources, targets = files_of(source), files_of(target)
            if len(sources) != len(targets):
                raise DataError(
                    f"data.{part} names {len(sources)} files, but data.target_{part} "
                    f"{len(targets)}; they belong together one by one"
                )
            for one, other in zip(sources, targets, strict=True):
                before = known.setdefault(one.resolve(), other)
                if before.resolve() != other.resolve():
                    raise ConfigError(
                        f"{one} is named with two files of targets, {before} and {other}: copy it, "
                        "so that each part has a file of its own"
                    )
                found[one] = other
    return found


def _joined(
    source: Path, target: Path, number: int, lines: tuple[str | None, str | None]
) -> TextPair:
    before, after = lines
    if before is None or after is None:
        ended, longer = (source, target) if before is None else (target, source)
        raise DataError(
            f"{ended} has {number - 1} lines, but {longer} has more; line n of one is paired with "
            "line n of the other"
        )
    for path, line in ((source, before), (target, after)):
        if not line.strip():
            other = target if path is source else source
            raise DataError(f"{path}, line {number}: the line is empty, but that of {other} is not")
    return TextPair(before.strip(), after.strip())
