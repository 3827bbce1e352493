"""A long run of random cells, sizes and lengths: a back end against the reference.

    python -m benchmarks.random_cases --cases 100000 --workers 2
    python -m benchmarks.random_cases --seed 412 --cases 58800    # go on where a run stopped

Each seed stands for 100 cases (see `benchmarks/random_inside.py`), the same ones each time. The
run ends at the first mismatch and prints its case, made as small as it gets, to be pasted into a
test.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from itertools import islice
from multiprocessing import get_context
from typing import Annotated

import typer

from benchmarks.command import run_command
from benchmarks.random_inside import CASES, Tally, run_seed
from cellwise.bench.machine import this_machine
from cellwise.errors import ConfigError
from cellwise.training.progress import Reporter, make_reporter

SEEDS_A_PROCESS = 10
"""A process keeps all cells that it ever compiled, so it is replaced from time to time."""


def run(
    seeds: Sequence[int], backend: str, workers: int, reporter: Reporter
) -> tuple[Tally, list[int]]:
    """The tally of all seeds that were done, and those that were not.

    Args:
        seeds: what to draw the cases from.
        backend: the one to judge.
        workers: the number of processes; 0 for none but this one.
        reporter: is told of every seed that is done.
    """
    total, done = Tally(), set[int]()
    reporter.begin("cases", CASES * len(seeds))
    tallies = _tallies(seeds, backend, workers)
    try:
        for seed, tally in tallies:
            total, done = total + tally, done | {seed}
            reporter.advance(CASES, f"{total.refused} refused, {total.delicate} delicate")
            if total.mismatch:
                break
    except KeyboardInterrupt:
        reporter.note("stopped")
    finally:
        tallies.close()
        reporter.end()
    return total, [seed for seed in seeds if seed not in done]


def _tallies(
    seeds: Sequence[int], backend: str, workers: int
) -> Generator[tuple[int, Tally], None, None]:
    if not workers:
        for seed in seeds:
            yield seed, run_seed(seed, backend)
        return
    os.environ.update(OMP_NUM_THREADS="1", CELLWISE_CACHE="off")  # read by the new processes
    waiting, context = iter(seeds), get_context("spawn")
    with ProcessPoolExecutor(workers, context, max_tasks_per_child=SEEDS_A_PROCESS) as pool:
        pending: dict[Future[Tally], int] = {}
        try:
            for seed in islice(waiting, 2 * workers):
                pending[pool.submit(run_seed, seed, backend)] = seed
            while pending:
                future = next(as_completed(pending))
                yield pending.pop(future), future.result()
                for seed in islice(waiting, 1):
                    pending[pool.submit(run_seed, seed, backend)] = seed
        finally:
            pool.shutdown(cancel_futures=True)


def main(
    cases: Annotated[int, typer.Option(min=1, help="How many.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: this one.")] = 2,
    backend: Annotated[str, typer.Option(help="The back end to judge.")] = "cpu",
) -> None:
    """Compare a back end with the reference on random cases."""
    from cellwise.backends import BACKENDS

    if backend not in BACKENDS:
        raise typer.BadParameter(str(ConfigError(f"known back ends: {', '.join(BACKENDS)}")))
    typer.echo(str(this_machine(workers)))
    seeds = range(seed, seed + -(-cases // CASES))
    total, left = run(seeds, backend, workers, make_reporter())
    typer.echo(str(total))
    if total.mismatch:
        typer.echo(f"mismatch:\n{total.mismatch}")
        raise typer.Exit(1)
    if left:
        typer.echo(f"to go on: --seed {left[0]} --cases {CASES * (seeds[-1] + 1 - left[0])}")
        raise typer.Exit(130)


if __name__ == "__main__":
    run_command(main)
