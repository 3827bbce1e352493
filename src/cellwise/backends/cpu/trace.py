"""A trace of compilation for people: each stage as files, and what the assembly shows at a glance.

`CELLWISE_TRACE=dir` makes a folder `dir/<n>_<label>` of every stage, numbered in the order in which
they begin, over all processes that write there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cellwise.backends.cpu.listing import Tally, tallies
from cellwise.backends.cpu.target import Target
from cellwise.errors import ConfigError

VARIABLE = "CELLWISE_TRACE"
"""The environment variable with the folder to write to; unset or empty: nothing is written."""

_LONGEST_LABEL = 80
_TITLES = ("function, its inner loops", "instructions", "spills", "reloads", "other")


def trace(label: str, files: Callable[[], Mapping[str, str]]) -> None:
    """Write what one stage made, if a trace is asked for.

    Args:
        label: what the stage is of, such as the cell's name; part of the folder's name.
        files: gives the texts by file name; not called without a trace, so it may be slow.

    Raises:
        ConfigError: the files cannot be written where the variable says.
    """
    place = os.environ.get(VARIABLE)
    if not place:
        return
    texts = files()
    try:
        folder = _claimed(Path(place).expanduser(), _as_name(label))
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except (OSError, RuntimeError) as error:  # the latter where nobody is called ~so
        raise ConfigError(f"{VARIABLE}={place}: no trace can be written: {error}") from error


def _as_name(label: str) -> str:
    """The label with a dash for what a file name should not hold."""
    return re.sub(r"[^\w.+=-]+", "-", label)[:_LONGEST_LABEL]


def _claimed(base: Path, label: str) -> Path:
    """A new folder with the next number, which no other process or thread gets.

    Its name is at first the bare number, which only one can make at a time; whoever made it looks
    whether another was faster and has named his already.
    """
    base.mkdir(parents=True, exist_ok=True)
    while True:
        number = f"{max(_numbers(base), default=0) + 1:04d}"
        bare = base / number
        try:
            bare.mkdir()
        except FileExistsError:
            continue
        if any(base.glob(f"{number}_*")):
            bare.rmdir()
            continue
        return bare.rename(base / f"{number}_{label}")


def _numbers(base: Path) -> list[int]:
    found = (re.match(r"(\d+)(_|$)", path.name) for path in base.iterdir())
    return [int(match[1]) for match in found if match]


def spills(assembly_text: str, target: Target) -> str:
    """A table of functions and their innermost loops: instructions, and traffic with the stack.

    Columns: `spills` are stores of vector registers to the stack, `reloads` their loads from it
    (alone or within another instruction), `other` what else reads or writes the stack, pushes and
    pops apart. A function's spills include registers that it saves for its caller.
    """
    rows = [_row(tally) for tally in tallies(assembly_text, target)]
    return "".join(f"{line}\n" for line in _aligned([_TITLES, *rows]))


def _row(tally: Tally) -> tuple[str, ...]:
    name = f"  loop {tally.loop}" if tally.loop else tally.function
    counts = (tally.n_instructions, tally.n_spills, tally.n_reloads, tally.n_other)
    return (name, *map(str, counts))


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Each row as a line: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if place else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
