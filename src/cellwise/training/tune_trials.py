"""The trials of a search as people and programs read them: a table, a CSV file, the best one."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cellwise.training.progress import duration
from cellwise.training.tune_space import Proposed

Goal = Literal["min", "max"]
State = Literal["done", "pruned", "failed"]


@dataclass(frozen=True)
class Row:
    """One trial that is over.

    Attributes:
        number: counted from 0, as its folder is named.
        state: "done", "pruned" (ended early, as it was worse than others) or "failed".
        settings: what was proposed for each varied key; a label where it varies over choices.
        value: the best dev metric; of one that was pruned the last one.
        best_epoch: the epoch of that metric, counted from 1; 0 if the trial did not end by itself.
        epochs: how many epochs it had, the one in which it was pruned or failed included.
        seconds: the time that training took.
        reason: why it failed, or of which trial it is a repetition.
    """

    number: int
    state: State
    settings: dict[str, Proposed]
    value: float | None = None
    best_epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""


def best_first(rows: Sequence[Row], goal: Goal) -> list[Row]:
    """The trials that were done, the best one first; of equals the earlier one."""
    sign = -1 if goal == "max" else 1
    return sorted(
        (row for row in rows if row.state == "done"),
        key=lambda row: (math.inf if row.value is None else sign * row.value, row.number),
    )


def best_so_far(rows: Sequence[Row], goal: Goal) -> list[tuple[int, float]]:
    """The number and value of each trial that was better than all before it.

    Example:
        >>> rows = [Row(n, "done", {}, value) for n, value in enumerate([3.0, 4.0, 2.0])]
        >>> best_so_far(rows, "min")
        [(0, 3.0), (2, 2.0)]
    """
    found: list[tuple[int, float]] = []
    for row in sorted(rows, key=lambda row: row.number):
        value = row.value
        if row.state != "done" or value is None:
            continue
        if not found or (value < found[-1][1] if goal == "min" else value > found[-1][1]):
            found.append((row.number, value))
    return found


def shown(value: Proposed | None) -> str:
    """A proposed setting in a few characters.

    Example:
        >>> shown(0.00123456), shown(512), shown("lstm"), shown(None)
        ('0.001235', '512', 'lstm', '')
    """
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:.4g}" if value % 1 else str(int(value))


def shown_metric(value: float | None) -> str:
    """A metric in five digits.

    Example:
        >>> shown_metric(114.5678), shown_metric(None)
        ('114.57', '')
    """
    return "" if value is None else f"{value:.5g}"


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Keys without their tables, where that is enough to tell them apart.

    Example:
        >>> short_keys(["model.cell", "training.epochs"])
        {'model.cell': 'cell', 'training.epochs': 'epochs'}
    """
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end) == 1 else key for key, end in zip(keys, last, strict=True)}


def table(rows: Sequence[Row], keys: Sequence[str], metric: str, goal: Goal) -> list[list[str]]:
    """The cells of a table of trials, its head first."""
    own = ("trial", metric, "epochs", "time", "result")
    short = [key if end in own else end for key, end in short_keys(keys).items()]
    head = [*own[:2], *short, *own[2:]]
    best = next((row.number for row in best_first(rows, goal)), None)
    return [head, *(_cells(row, keys, is_best=row.number == best) for row in rows)]


def as_markdown(cells: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its columns aligned."""
    safe = [[cell.replace("\n", " ").replace("|", "\\|") for cell in line] for line in cells]
    widths = [max(3, *(len(line[place]) for line in safe)) for place in range(len(safe[0]))]
    rule = ["-" * width for width in widths]
    lines = [safe[0], rule, *safe[1:]]
    return "".join(
        f"| {' | '.join(c.ljust(w) for c, w in zip(line, widths, strict=True))} |\n"
        for line in lines
    )


def as_csv(rows: Sequence[Row], keys: Sequence[str], metric: str) -> str:
    """The trials as comma-separated values, numbers in full."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", metric, *keys, "best_epoch", "epochs", "seconds", "reason"])
    for row in rows:
        settings: list[Any] = [row.settings.get(key, "") for key in keys]
        ends = [row.best_epoch, row.epochs, round(row.seconds, 3), row.reason]
        writer.writerow([row.number, row.state, row.value, *settings, *ends])
    return text.getvalue()


def _cells(row: Row, keys: Sequence[str], *, is_best: bool) -> list[str]:
    result: str = "best" if is_best else row.state
    if row.reason:
        result += f": {row.reason.splitlines()[0]}"
    settings = [shown(row.settings.get(key)) for key in keys]
    return [
        str(row.number),
        shown_metric(row.value),
        *settings,
        str(row.epochs),
        duration(row.seconds),
        result,
    ]
