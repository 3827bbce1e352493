"""The recipe `translate` on Multi30k, with our layers and with torch.nn.LSTM in their place.

    python -m benchmarks.translation FOLDER                # FOLDER holds train.en.gz, train.de.gz …
    python -m benchmarks.translation FOLDER --layers ours,torch.nn --out runs

Both start from the same weights and draw the same dropout.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.command import run_command
from benchmarks.names import chosen
from benchmarks.pronounce import PEER
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.tasks import TASKS, Transduce
from cellwise.tasks.base import Report
from cellwise.training.config import load_config
from cellwise.training.progress import Reporter, make_reporter
from cellwise.training.run import Run, load_run, train

HEAD = ("model", "BLEU", "chrF", "loss", "minutes", "s / epoch")
PARTS = {"train": "train", "dev": "val", "test": "test_2016_flickr"}
LAYERS = {"ours": Transduce.name, "torch.nn": PEER.name}


@dataclass(frozen=True)
class Result:
    """What a training took, and what it gave on the test part."""

    seconds: float
    epochs: int
    report: Report
    folder: Path


def files(folder: Path) -> list[str]:
    """The settings that name the files of Multi30k, English to German."""
    return [
        f"data.{prefix}{part}={folder / f'{name}.{language}.gz'}"
        for part, name in PARTS.items()
        for prefix, language in (("", "en"), ("target_", "de"))
    ]


def judged(run: Run) -> Report:
    """The report on the test part."""
    return run.report(run.examples(part="test"))


def trained(task: str, settings: Sequence[str], folder: Path, reporter: Reporter) -> Result:
    """Train into a folder, and judge on the test part; the judging is not timed."""
    config = load_config("translate", [f"task={task}", *settings])
    start = time.perf_counter()
    outcome = train(config, folder, reporter=reporter)
    seconds = time.perf_counter() - start
    return Result(seconds, outcome.epochs, judged(load_run(folder)), folder)


def row(name: str, found: Sequence[Result]) -> tuple[str, ...]:
    """A row of the table: the means over seeds, and how far the BLEU of seeds is apart."""
    scores = [one.report.metrics["bleu"] for one in found]
    spread = f" ({min(scores):.2f} to {max(scores):.2f})" if len(scores) > 1 else ""
    return (
        name,
        f"{fmean(scores):.2f}{spread}",
        f"{fmean(one.report.metrics['chrf'] for one in found):.2f}",
        f"{fmean(one.report.metrics['loss'] for one in found):.3f}",
        f"{fmean(one.seconds for one in found) / 60:.1f}",
        f"{fmean(one.seconds / one.epochs for one in found):.0f}",
    )


def together(layers: str, found: Sequence[Result]) -> tuple[str, ...]:
    """The row of all seeds as an ensemble."""
    first, *others = (one.folder for one in found)
    metrics = judged(load_run(first, ensemble=others)).metrics
    figures = f"{metrics['bleu']:.2f}", f"{metrics['chrf']:.2f}", f"{metrics['loss']:.3f}"
    return (f"{layers}, ensemble of {len(found)}", *figures, "", "")


def main(
    data: Annotated[Path, typer.Argument(help="The folder of Multi30k.")],
    layers: Annotated[str, typer.Option(help="ours, torch.nn or both.")] = "ours",
    seeds: Annotated[int, typer.Option(min=1, help="How many runs of each.")] = 1,
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the runs in this folder.")] = None,
) -> None:
    """Train the recipe, and print BLEU with its signature, chrF and the time it took."""
    TASKS.setdefault(PEER.name, PEER)
    settings = [*files(data.resolve()), f"training.threads={threads}", *(set_ or ())]
    reporter = make_reporter()
    rows, notes = [], {}
    with TemporaryDirectory() as scratch:
        for kind in chosen(layers, LAYERS):
            found = [
                trained(
                    LAYERS[kind],
                    [*settings, f"training.seed={seed}"],
                    (out or Path(scratch)) / f"{kind}-{seed}",
                    reporter,
                )
                for seed in range(1, seeds + 1)
            ]
            rows.append(row(kind, found))
            if seeds > 1:
                rows.append(together(kind, found))
            notes = found[0].report.notes
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, rows)}")
    typer.echo("\n".join(f"{name}: {note}" for name, note in notes.items()))


if __name__ == "__main__":
    run_command(main)
