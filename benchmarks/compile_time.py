"""How long each cell takes to compile, cold and from the disk cache, in fresh processes.

    python -m benchmarks.compile_time            # every cell of the zoo
    python -m benchmarks.compile_time lstm gru --rounds 5

`cold` has an empty CELLWISE_CACHE, `cached` the one that the cold run left, `later` too, but
another compiled cell has run in that process, so that LLVM and the back end are loaded. Forward
and backward together. Python's byte code is at hand, as it is once a package is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.command import run_command
from cellwise import cells as zoo
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.training.progress import make_reporter

ROOT = Path(__file__).parent.parent
HEAD = (
    "cell",
    "cold: derive ms",
    "compile ms",
    "total s",
    "cached: derive ms",
    "load ms",
    "total ms",
    "later: total ms",
)
KINDS = ("cold", "cached", "later")

Figures = dict[str, float]


def in_a_fresh_process(
    cell: str, hidden_size: int, backend: str, cache: str, *, later: bool = False
) -> Figures:
    """`compile_inside.first_call` in a new process with a cache folder."""
    what = [cell, str(hidden_size), backend, "later" if later else "alone"]
    command = [sys.executable, "-m", "benchmarks.compile_inside", *what]
    environment = {**os.environ, "CELLWISE_CACHE": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def measure(cell: str, hidden_size: int, backend: str, rounds: int) -> dict[str, list[Figures]]:
    """The figures of every round, by kind; each round has a cache of its own."""
    found: dict[str, list[Figures]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        with TemporaryDirectory() as cache:
            for kind in KINDS:
                later = kind == "later"
                figures = in_a_fresh_process(cell, hidden_size, backend, cache, later=later)
                found[kind].append(figures)
    return found


def row(cell: str, found: dict[str, list[Figures]]) -> tuple[str, ...]:
    """A row of the table."""

    def middle(kind: str, key: str) -> float:
        return median(sum(f.values()) if key == "total" else f[key] for f in found[kind])

    def in_ms(kind: str, *keys: str) -> list[str]:
        return [f"{1e3 * middle(kind, key):.0f}" for key in keys]

    return (
        cell,
        *in_ms("cold", "derive", "compile"),
        f"{middle('cold', 'total'):.2f}",
        *in_ms("cached", "derive", "compile", "total"),
        *in_ms("later", "total"),
    )


def main(
    cells: Annotated[list[str] | None, typer.Argument(help="Cells; else the whole zoo.")] = None,
    hidden: Annotated[int, typer.Option(help="H, and I.")] = 256,
    backend: Annotated[str, typer.Option(help="Our back end.")] = "auto",
    rounds: Annotated[int, typer.Option(help="Fresh processes a figure.")] = 3,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures.")] = None,
) -> None:
    """Measure how long cells take to compile."""
    names = cells or list(zoo.names("chain"))
    reporter = make_reporter()
    reporter.begin("compiling", len(names))
    rows, record = list[tuple[str, ...]](), dict[str, object]()
    try:
        measure(names[0], hidden, backend, 1)  # leaves byte code behind
        for name in names:
            record[name] = found = measure(name, hidden, backend, rounds)
            rows.append(row(name, found))
            reporter.advance(1, name)
    finally:
        reporter.end()
        _give_out(rows, record, json_file, typer.echo)


def _give_out(
    rows: Sequence[tuple[str, ...]],
    record: dict[str, object],
    json_file: Path | None,
    write: Callable[[str], object],
) -> None:
    write(f"{this_machine()}\n\n{markdown_table(HEAD, rows)}")
    if json_file is not None:
        text = json.dumps({"machine": str(this_machine()), "cells": record}, indent=1)
        json_file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
