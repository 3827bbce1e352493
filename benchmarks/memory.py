"""Peak memory of forward and backward: our layer, fast and lean, and torch's module.

    python -m benchmarks.memory
    python -m benchmarks.memory gru --batch 64 --hidden 512

Each figure comes from a fresh process; `benchmarks/memory_inside.py` says what is counted. Every
process returns what is freed at once, so that the level before the call is the true one.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command import run_command
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import described, markdown_table, shown
from cellwise.bench.timing import Spread, ratios
from cellwise.bench.torch_twin import TWINS
from cellwise.bench.worker import described as as_argument
from cellwise.bench.workload import Workload
from cellwise.layers import Recurrent

ROOT = Path(__file__).parent.parent
HEAD = ("who", "peak MiB", "in outputs", "peak / torch.nn")
AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""What makes glibc give memory back when it is freed."""


def in_a_fresh_process(who: str, workload: Workload) -> dict[str, int]:
    """`memory_inside.measure` in a new process."""
    command = [sys.executable, "-m", "benchmarks.memory_inside", who, as_argument(workload)]
    environment = {**os.environ, **AT_ONCE, "OMP_NUM_THREADS": str(workload.threads)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


def contenders(cell: str) -> list[str]:
    """Whom to measure: our layer in each of its ways, and torch's module where there is one."""
    ways = ["fast", "lean"] if "memory" in inspect.signature(Recurrent).parameters else ["ours"]
    return [*(["torch"] if cell in TWINS else []), *ways]


def measure(workload: Workload, rounds: int) -> dict[str, list[dict[str, int]]]:
    """The figures of every contender in every round."""
    names = contenders(workload.cell)
    found: dict[str, list[dict[str, int]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            found[name].append(in_a_fresh_process(name, workload))
    return found


def rows(found: dict[str, list[dict[str, int]]]) -> list[Sequence[str]]:
    """The rows of the table."""
    peaks = {name: [f["peak_bytes"] for f in figures] for name, figures in found.items()}
    table: list[Sequence[str]] = []
    for name, own in peaks.items():
        spread = Spread.of([peak / 2**20 for peak in own])
        outputs = spread.median * 2**20 / found[name][0]["output_bytes"]
        against = shown(ratios(own, peaks["torch"])) if "torch" in peaks else ""
        table.append((name, shown(spread), f"{outputs:.1f}", against))
    return table


def main(  # noqa: PLR0913, PLR0917 - a command has as many options as it needs
    cell: Annotated[str, typer.Argument(help="A cell of the zoo.")] = "lstm",
    batch: Annotated[int, typer.Option(help="B.")] = 32,
    hidden: Annotated[int, typer.Option(help="H, and I.")] = 256,
    steps: Annotated[int, typer.Option(help="T.")] = 100,
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    rounds: Annotated[int, typer.Option(help="Fresh processes a figure.")] = 3,
    backend: Annotated[str, typer.Option(help="Our back end.")] = "auto",
) -> None:
    """Measure the peak memory of forward and backward."""
    workload = Workload(
        cell,
        batch_size=batch,
        hidden_size=hidden,
        n_steps=steps,
        threads=threads,
        backend=backend,
    )
    table = markdown_table(HEAD, rows(measure(workload, rounds)))
    typer.echo(f"{this_machine(threads)}\n\n{described(workload)}\n\n{table}")


if __name__ == "__main__":
    run_command(main)
