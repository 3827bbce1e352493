"""The Stanford Sentiment Treebank with three cells over trees, word vectors learnt from it alone.

    python -m benchmarks.sentiment_trees FOLDER            # about a quarter of an hour
    python -m benchmarks.sentiment_trees FOLDER --cells rntn --seeds 1

FOLDER holds the trees in brackets as train.txt, dev.txt and test.txt, or these with .gz behind.
Each cell is trained with several seeds; the epoch is chosen by the accuracy on dev's roots. Binary
accuracy is that of the same model: neutral roots are left out, and the probabilities of the two
negative classes and of the two positive ones are added up.

Published for rntn, with word vectors learnt from the treebank alone: 45.7 fine-grained, 85.4 binary
(Socher et al. 2013).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.command import run_command
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.errors import DataError
from cellwise.training.config import load_config
from cellwise.training.progress import Reporter, make_reporter
from cellwise.training.run import load_run, train

WITHOUT_GATES = (
    "model.embedding_range=0.1",
    "model.embedding_dropout=0.3",
    "model.dropout=0.3",
    "training.epochs=15",
    "training.learning_rate=0.02",
    "training.warmup_steps=500",
    "training.schedule=cosine",
)
"""AdaGrad's first steps are as long for each weight, whatever its gradient: a bilinear form of
thousands of weights saturates at once without a warm-up."""

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "recursive": ("model.hidden_size=60", *WITHOUT_GATES, "training.patience=6"),
    "rntn": ("model.hidden_size=30", *WITHOUT_GATES),
    "tree_lstm_binary": ("training.epochs=8",),
}
"""What each cell has other than the recipe."""

METRICS = ("accuracy_root", "accuracy_root_binary", "accuracy_nodes")
HEAD = ("cell", "runs", "fine-grained root", "binary root", "all nodes", "epochs", "s / epoch")


@dataclass(frozen=True)
class Result:
    """What a training took and gave; the metrics are those of the test part."""

    seconds: float
    epochs: int
    best_epoch: int
    metrics: Mapping[str, float]


def data_settings(folder: Path) -> list[str]:
    """Where the parts are.

    Raises:
        DataError: one is missing.
    """
    found = []
    for part in ("train", "dev", "test"):
        paths = [folder / f"{part}.txt", folder / f"{part}.txt.gz"]
        there = [path for path in paths if path.is_file()]
        if not there:
            raise DataError(f"{folder} holds no {part}.txt and no {part}.txt.gz")
        found.append(f"data.{part}={there[0].resolve()}")
    return found


def trained(settings: Sequence[str], folder: Path, reporter: Reporter) -> Result:
    """Train the recipe with these settings into a folder, and judge on the test part."""
    outcome = train(load_config("compose", settings), folder, reporter=reporter)
    metrics = load_run(folder).evaluate()
    return Result(outcome.seconds, outcome.epochs, outcome.best_epoch, metrics)


def row(cell: str, results: Sequence[Result]) -> tuple[str, ...]:
    """A row of the table: means over the runs, with their standard deviations."""
    shares = [shown([100 * one.metrics[name] for one in results]) for name in METRICS]
    epochs = ", ".join(str(one.best_epoch) for one in results)
    pace = sum(one.seconds for one in results) / sum(one.epochs for one in results)
    return cell, str(len(results)), *shares, epochs, f"{pace:.1f}"


def shown(figures: Sequence[float]) -> str:
    """A mean and a standard deviation.

    Example:
        >>> shown([44.0, 45.0, 46.0]), shown([44.0])
        ('45.0 ± 1.0', '44.0')
    """
    spread = f" ± {stdev(figures):.1f}" if len(figures) > 1 else ""
    return f"{fmean(figures):.1f}{spread}"


def main(
    folder: Annotated[Path, typer.Argument(help="Holds train.txt, dev.txt and test.txt.")],
    cells: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(SETTINGS),
    seeds: Annotated[int, typer.Option(help="Runs of each cell.")] = 3,
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the runs in this folder.")] = None,
) -> None:
    """Train each cell with several seeds, and print the accuracies on the test part."""
    places = data_settings(folder)
    rows = []
    with TemporaryDirectory() as scratch:
        for cell in cells.split(","):
            own = [*places, f"model.cell={cell}", *SETTINGS.get(cell, ())]
            own += [f"training.threads={threads}", *(set_ or ())]
            results = [
                trained(
                    [*own, f"training.seed={seed}"],
                    (out or Path(scratch)) / f"{cell}-{seed}",
                    make_reporter(),
                )
                for seed in range(1, seeds + 1)
            ]
            rows.append(row(cell, results))
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, rows)}")


if __name__ == "__main__":
    run_command(main)
