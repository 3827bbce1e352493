"""The recipe `pronounce`, with our layers and with torch.nn.LSTM in their place.

    python -m benchmarks.pronounce               # both in full
    python -m benchmarks.pronounce --epochs 1
    python -m benchmarks.pronounce --phonetisaurus   # a joint n-gram model beside them
    python -m benchmarks.pronounce --recipe pronounce_large --layers torch.nn

Both start from the same weights and draw the same dropout.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks import pronounce_joint
from benchmarks.command import run_command
from benchmarks.names import chosen
from benchmarks.torch_layers import with_torch
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.tasks import TASKS, Transduce
from cellwise.training.config import RunConfig, load_config
from cellwise.training.progress import Reporter, make_reporter
from cellwise.training.run import load_run, train

PEER = with_torch(Transduce)
LAYERS = {"ours": Transduce.name, "torch.nn": PEER.name}
HEAD = ("layers", "seconds", "epochs", "WER", "PER", "seconds / ours")


@dataclass(frozen=True)
class Result:
    """What a training took and gave.

    Attributes:
        epochs: None for a model that is trained in one go.
        metrics: those of the test part.
    """

    seconds: float
    epochs: int | None
    metrics: Mapping[str, float]


def trained(config: RunConfig, folder: Path, reporter: Reporter) -> Result:
    """Train into a folder, and judge on the test part; the judging is not timed."""
    start = time.perf_counter()
    outcome = train(config, folder, reporter=reporter)
    seconds = time.perf_counter() - start
    return Result(seconds, outcome.epochs, load_run(folder).evaluate())


def measure(
    overrides: Sequence[str],
    folder: Path,
    reporter: Reporter,
    *,
    recipe: str = "pronounce",
    layers: Sequence[str] = tuple(LAYERS),
) -> dict[str, Result]:
    """Train a recipe with our layers, then with torch's, or with some of them."""
    TASKS.setdefault(PEER.name, PEER)
    found = {}
    for who in layers:
        config = load_config(recipe, [f"task={LAYERS[who]}", *overrides])
        found[who] = trained(config, folder / LAYERS[who], reporter)
    return found


def rows(found: Mapping[str, Result]) -> list[tuple[str, ...]]:
    """The rows of the table."""
    base = found["ours"].seconds if "ours" in found else math.nan
    return [
        (
            who,
            f"{one.seconds:.1f}",
            "" if one.epochs is None else str(one.epochs),
            f"{100 * one.metrics['sequence_error_rate']:.2f} %",
            f"{100 * one.metrics['token_error_rate']:.2f} %",
            "" if math.isnan(base) else f"{one.seconds / base:.2f}",
        )
        for who, one in found.items()
    ]


def main(  # noqa: PLR0913, PLR0917 - a command has as many options as it needs
    epochs: Annotated[int | None, typer.Option(help="Fewer than the recipe's.")] = None,
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    phonetisaurus: Annotated[
        bool, typer.Option(help="Also train a joint n-gram model on the same words.")
    ] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the runs in this folder.")] = None,
    recipe: Annotated[str, typer.Option(help="pronounce or pronounce_large.")] = "pronounce",
    layers: Annotated[str, typer.Option(help="ours, torch.nn or both.")] = "ours,torch.nn",
) -> None:
    """Train the recipe with both, and compare seconds and error rates."""
    named = chosen(layers, LAYERS)
    overrides = [f"training.threads={threads}", *(set_ or ())]
    if epochs is not None:
        overrides.append(f"training.epochs={epochs}")
    joint: dict[str, Result] = {}
    with TemporaryDirectory() as scratch:
        if phonetisaurus:  # first: it takes minutes, and may not work
            seconds, metrics = pronounce_joint.judged(overrides, Path(scratch))
            joint[pronounce_joint.NAME] = Result(seconds, None, metrics)
        folder = out or Path(scratch)
        found = measure(overrides, folder, make_reporter(), recipe=recipe, layers=named) | joint
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, rows(found))}")


if __name__ == "__main__":
    run_command(main)
