"""Which classes a model takes for which, as tables for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cellwise.errors import ConfigError

if TYPE_CHECKING:
    from cellwise.tasks.base import Report

HEAD = ("class", "precision", "recall", "F1", "right", "given")


def check_classes(report: Report, task: str) -> None:
    """See whether there are classes to show.

    Raises:
        ConfigError: the task gives none.
    """
    if not report.scores:
        raise ConfigError(f"--confusion: a run of task '{task}' tells nothing of single classes")


def confusion_record(report: Report) -> dict[str, Any]:
    """The scores of the classes, and the matrix where there is one, as JSON values."""
    found: dict[str, Any] = {"classes": [score.record() for score in report.scores]}
    if report.confusion is not None:
        found["confusion"] = report.confusion.record()
    return found


def confusion_text(report: Report) -> str:
    """The matrix, a row for each right class, and below it a row of scores for each class."""
    scores = [
        (
            score.name,
            *(f"{100 * share:.1f} %" for share in (score.precision, score.recall, score.f1)),
            str(score.n_right),
            str(score.n_given),
        )
        for score in report.scores
    ]
    tables = [_aligned([HEAD, *scores])]
    if report.confusion is not None:
        names = report.confusion.classes
        counts = zip(names, report.confusion.counts, strict=True)
        rows = [(name, *(str(count) for count in row)) for name, row in counts]
        tables.insert(0, _aligned([("right \\ given", *names), *rows]))
    return "\n\n".join(tables)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  "
        + "  ".join(
            [f"{row[0]:<{widths[0]}}"]
            + [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        )
        for row in rows
    )
