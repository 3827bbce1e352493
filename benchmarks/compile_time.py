"""How long each cell takes to compile, cold and from the disk cache, in fresh processes.

    python -m benchmarks.compile_time            # every cell of the zoo
    python -m benchmarks.compile_time lstm gru --rounds 5

`cold` has an empty CELLWISE_CACHE, `cached` the one that the cold run left. Forward and backward
together. Python's byte code is at hand in both, as it is once a package is installed.
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
)

Figures = dict[str, float]


def in_a_fresh_process(cell: str, hidden_size: int, backend: str, cache: str) -> Figures:
    """`compile_inside.first_call` in a new process with a cache folder."""
    command = [sys.executable, "-m", "benchmarks.compile_inside", cell, str(hidden_size), backend]
    environment = {**os.environ, "CELLWISE_CACHE": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    figures: Figures = json.loads(done.stdout)
    return figures


def measure(
    cell: str, hidden_size: int, backend: str, rounds: int
) -> tuple[list[Figures], list[Figures]]:
    """The cold and the cached figures of every round; each round has a cache of its own."""
    cold, cached = [], []
    for _ in range(rounds):
        with TemporaryDirectory() as cache:
            cold.append(in_a_fresh_process(cell, hidden_size, backend, cache))
            cached.append(in_a_fresh_process(cell, hidden_size, backend, cache))
    return cold, cached


def row(cell: str, cold: Sequence[Figures], cached: Sequence[Figures]) -> tuple[str, ...]:
    """A row of the table: medians over the rounds."""

    def middle(figures: Sequence[Figures], key: str) -> float:
        return median(sum(f.values()) if key == "total" else f[key] for f in figures)

    ms = [f"{1e3 * middle(f, k):.0f}" for f in (cold, cached) for k in ("derive", "compile")]
    return (
        cell,
        *ms[:2],
        f"{middle(cold, 'total'):.2f}",
        *ms[2:],
        f"{1e3 * middle(cached, 'total'):.0f}",
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
            cold, cached = measure(name, hidden, backend, rounds)
            rows.append(row(name, cold, cached))
            record[name] = {"cold": cold, "cached": cached}
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
    typer.run(main)
