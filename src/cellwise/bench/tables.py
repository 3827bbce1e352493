"""What was measured, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from cellwise.bench.grid import LSTM, PADDED, Line, Measured
from cellwise.bench.machine import Machine
from cellwise.bench.timing import Spread
from cellwise.bench.workload import Workload

HEAD = ("workload", "who", "ms", "GFLOP/s", "of peak", "time / ours", "build s", "notes")

EXPLAINED = """\
Medians over the rounds, least and greatest in parentheses; ratios are taken round by round.
GFLOP/s count the products of the cell's equations over live steps (the backward twice the \
forward)."""


def described(workload: Workload) -> str:
    """A workload in a table: "lstm, forward+backward, B=32 H=256 T=100, 2 threads"."""
    mode = "forward+backward" if workload.mode == "both" else "forward"
    size = f"B={workload.batch_size} H={workload.hidden_size} T={workload.n_steps}"
    parts = [workload.cell, mode, size, _counted(workload.threads, "thread")]
    if workload.bidirectional:
        parts.append("bidirectional")
    if workload.ragged:
        parts.append(f"ragged, fill {workload.fill:.2f}")
    if workload.precision != "f32":
        parts.append(workload.precision)
    return ", ".join(parts)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def shown(spread: Spread | None, *, percent: bool = False) -> str:
    """A median with its range: "1.92 (1.90–2.11)".

    Example:
        >>> shown(Spread(1.917, 1.9, 2.1149))
        '1.92 (1.90–2.11)'
    """
    if spread is None:
        return ""
    figures = (spread.median, spread.least, spread.most)
    if percent:
        middle, least, most = (f"{100 * figure:.0f}" for figure in figures)
        return f"{middle} % ({least}–{most})"
    middle, least, most = (_figure(figure) for figure in figures)
    return f"{middle} ({least}–{most})"


def _figure(number: float) -> str:
    return (
        f"{number:.0f}" if number >= 1000 else f"{number:.1f}" if number >= 100 else f"{number:.2f}"
    )


def markdown(machine: Machine, found: Sequence[Measured]) -> str:
    """A table of all that was measured, under a line on the machine."""
    rows = [row for measured in found for row in _rows(measured)]
    return f"{machine}\n\n{markdown_table(HEAD, rows)}\n\n{EXPLAINED}\n"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, its columns aligned for those who read it as text."""
    whole = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(row[i]) for row in whole) for i in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in whole
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _rows(measured: Measured) -> list[tuple[str, ...]]:
    first, *others = measured.lines
    rows = [_row(described(measured.workload), first, measured)]
    rows += [_row("", line, measured) for line in others]
    if measured.peak_gflops is not None:
        rows.append(("", "FMA peak", "", shown(measured.peak_gflops), "", "", "", ""))
    return rows


def _row(what: str, line: Line, measured: Measured) -> tuple[str, ...]:
    return (
        what,
        line.title,
        shown(line.milliseconds),
        "" if line.gflops is None else _figure(line.gflops),
        shown(line.share, percent=True),
        shown(line.ratio),
        "" if line.build_seconds is None else f"{line.build_seconds:.1f}",
        "; ".join(_notes(line, measured)),
    )


def _notes(line: Line, measured: Measured) -> Iterable[str]:
    if line.note:
        yield line.note
    if line.who == PADDED and measured.ragged_cost is not None:
        yield f"ours = {shown(measured.ragged_cost)} × fill × this"
    if line.who == LSTM and line.rate_ratio is not None:
        yield f"ours does {shown(line.rate_ratio)} × its operations a second"


def as_json(machine: Machine, found: Sequence[Measured]) -> str:
    """All that was measured, for programs."""
    return json.dumps(
        {"machine": asdict(machine), "measured": [_record(one) for one in found]}, indent=1
    )


def _record(measured: Measured) -> dict[str, Any]:
    record = asdict(measured)
    record["workload"] |= {"fill": measured.workload.fill, "n_rows": measured.workload.n_rows}
    return record
