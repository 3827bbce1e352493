"""Trees over sentences: what the recipe `parse` reaches on CRAFT, beside torch.nn.LSTM.

    python -m benchmarks.parsing ../shared/data/trees_craft            # all rows: hours
    python -m benchmarks.parsing ../shared/data/trees_craft --rows next_word --layers ours

FOLDER holds craft-train.tree.zip and craft-dev.tree.zip. A twentieth of the training articles is
dev and chooses the epoch; what is called dev in the corpus is the test here. Figures are percent:
bracket F1 by the rules of EVALB of sentences of up to 40 words, of all sentences, and the share of
answers that are trees over exactly the words given. The peer is the same model with torch.nn.LSTM
in the place of our layers: the same first weights, the same data.

Published for the Wall Street Journal, from 40,000 sentences: 88.3 with attention, under 70 without
(Vinyals et al. 2015).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.command import run_command
from benchmarks.names import chosen
from benchmarks.sentiment_trees import shown
from benchmarks.torch_layers import with_torch
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.tasks import TASKS
from cellwise.tasks.parse import Parse
from cellwise.training.config import RunConfig, load_config
from cellwise.training.progress import Reporter, make_reporter
from cellwise.training.run import load_run, train

PEER = with_torch(Parse)
METRICS = ("f1_40", "f1", "complete_match_40", "well_formed")
HEAD = ("decoder", "layers", "runs", "F1 ≤ 40", "F1", "all right ≤ 40", "trees", "seconds")

ROWS: Mapping[str, Sequence[str]] = {
    "next_word": (),
    "attention": ("model.next_word=false",),
    "no_attention": ("model.next_word=false", "model.attention=none"),
}
"""What the decoder sees of the sentence: what each row has other than the recipe."""


LAYERS: Mapping[str, str] = {"ours": Parse.name, "torch.nn": PEER.name}


@dataclass(frozen=True)
class Result:
    """What a training took and gave; the metrics are those of the test part."""

    seconds: float
    metrics: Mapping[str, float]


def data_settings(folder: Path) -> list[str]:
    """Where the treebank is."""
    train_file, test_file = (folder / f"craft-{part}.tree.zip" for part in ("train", "dev"))
    return [f"data.train={train_file.resolve()}", f"data.test={test_file.resolve()}"]


def trained(config: RunConfig, folder: Path, reporter: Reporter) -> Result:
    """Train into a folder, and judge on the test part; the judging of test is not timed."""
    start = time.perf_counter()
    train(config, folder, reporter=reporter)
    seconds = time.perf_counter() - start
    return Result(seconds, load_run(folder).evaluate())


def table_row(name: str, layers: str, results: Sequence[Result]) -> tuple[str, ...]:
    """A row of the table: means over the runs, with their standard deviations."""
    figures = [shown([one.metrics[metric] for one in results]) for metric in METRICS]
    return name, layers, str(len(results)), *figures, shown([one.seconds for one in results])


def main(  # noqa: PLR0913, PLR0917 - a command has as many options as it needs
    folder: Annotated[Path, typer.Argument(help="Holds the archives of CRAFT.")],
    rows: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(ROWS),
    layers: Annotated[str, typer.Option(help="ours, torch.nn or both.")] = ",".join(LAYERS),
    seeds: Annotated[int, typer.Option(help="Runs of each row.")] = 1,
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the runs in this folder.")] = None,
) -> None:
    """Train each row with our layers and with torch's, and print the figures of the test part."""
    TASKS.setdefault(PEER.name, PEER)
    base = [*data_settings(folder), f"training.threads={threads}"]
    table = []
    with TemporaryDirectory() as scratch:
        for row in chosen(rows, ROWS):
            for kind in chosen(layers, LAYERS):
                own = [*base, *ROWS[row], f"task={LAYERS[kind]}", *(set_ or ())]
                results = [
                    trained(
                        load_config("parse", [*own, f"training.seed={seed}"]),
                        (out or Path(scratch)) / f"{row}-{kind}-{seed}",
                        make_reporter(),
                    )
                    for seed in range(1, seeds + 1)
                ]
                table.append(table_row(row, kind, results))
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, table)}")


if __name__ == "__main__":
    run_command(main)
