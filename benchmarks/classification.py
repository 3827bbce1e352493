"""Texts to classes: questions, sentences and documents, with our layers and with torch.nn.LSTM.

    python -m benchmarks.classification FOLDER           # three seeds of each; about two hours
    python -m benchmarks.classification FOLDER --rows questions --seeds 1 --layers ours

FOLDER holds the data sets as `cls_trec_qc`, `trees_sst` and `cls_movie_reviews`. Dev chooses the
epoch: a tenth of the training texts by a hash, or the treebank's own dev part. The reviews have no
test part: a fifth of them, by the same hash, is one.

Published: about 90 for an LSTM on the six classes of questions without pre-trained vectors, 93 with
them; 84.9 on the roots of the treebank with GloVe (Tai, Socher and Manning 2015).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import typer

from benchmarks.command import run_command
from benchmarks.names import chosen
from benchmarks.sentiment_trees import shown
from benchmarks.torch_layers import with_torch
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.tasks import TASKS, Classify
from cellwise.training.config import load_config
from cellwise.training.metrics import read_metrics
from cellwise.training.progress import Reporter, make_reporter
from cellwise.training.run import load_run, train

PEER = with_torch(Classify)
LAYERS = {"ours": Classify.name, "torch.nn": PEER.name}
HEAD = ("data", "layers", "runs", "accuracy", "macro F1", "wanted", "epochs", "s", "tokens / s")


@dataclass(frozen=True)
class DataSet:
    """A row of the table: its parts below the folder, its settings, and what it is to reach."""

    parts: Mapping[str, str]
    settings: tuple[str, ...]
    wanted: float


ROWS: Mapping[str, DataSet] = {
    "questions": DataSet(
        {"train": "cls_trec_qc/train.txt.gz", "test": "cls_trec_qc/test.txt.gz"},
        (
            "data.format=trec",
            "data.encoding=latin-1",
            "data.lowercase=false",
            "data.unit=words",
            "model.embedding_size=200",
            "model.embedding_range=0.25",
            "model.hidden_size=150",
            "model.pooling=mean",
            "model.embedding_dropout=0.5",
            "model.word_dropout=1",
            "model.label_smoothing=0.1",
            "training.epochs=12",
            "training.patience=0",
        ),
        0.90,
    ),
    "sentences": DataSet(
        {part: f"trees_sst/{part}.txt.gz" for part in ("train", "dev", "test")},
        (
            "data.format=trees",
            "data.phrases=true",
            "data.unit=words",
            'data.classes={0="negative", 1="negative", 2="", 3="positive", 4="positive"}',
            "model.embedding_size=150",
            "model.embedding_dropout=0.4",
            "training.epochs=3",
            "training.batch_size=64",
            "training.patience=0",
        ),
        0.83,
    ),
    "reviews": DataSet(
        {"train": "cls_movie_reviews/movie_reviews.zip"},
        (
            "data.format=folders",
            "data.test_share=0.2",
            "data.min_count=2",
            "model.embedding_size=50",
            "model.hidden_size=25",
            "model.pooling=attention",
            "model.crop=200",
            "model.embedding_dropout=0.5",
            "model.word_dropout=1",
            "training.epochs=12",
            "training.batch_size=16",
            "training.patience=0",
        ),
        0.82,
    ),
}


@dataclass(frozen=True)
class Result:
    """What a training took and gave; the metrics are those of the test part."""

    seconds: float
    epochs: int
    tokens_per_second: float
    metrics: Mapping[str, float]


def settings_of(row: DataSet, folder: Path) -> list[str]:
    """What the row has other than the recipe."""
    places = [f"data.{part}={(folder / name).resolve()}" for part, name in row.parts.items()]
    return [*places, *row.settings]


def trained(settings: Sequence[str], folder: Path, reporter: Reporter) -> Result:
    """Train the recipe with these settings into a folder, and judge on the test part."""
    TASKS.setdefault(PEER.name, PEER)
    outcome = train(load_config("classify", settings), folder, reporter=reporter)
    lines = [line for line in read_metrics(folder) if line["part"] == "train"]
    pace = fmean(line["symbols_per_second"] for line in lines) if lines else 0.0
    return Result(outcome.seconds, outcome.epochs, pace, load_run(folder).evaluate())


def table_row(name: str, layers: str, results: Sequence[Result]) -> tuple[str, ...]:
    """A row of the table: means over the runs, with the standard deviations of the shares."""
    shares = [
        shown([100 * one.metrics[key] for one in results]) for key in ("accuracy", "macro_f1")
    ]
    return (
        name,
        layers,
        str(len(results)),
        *shares,
        f"{100 * ROWS[name].wanted:.0f}",
        ", ".join(str(one.epochs) for one in results),
        f"{fmean(one.seconds for one in results):.0f}",
        f"{fmean(one.tokens_per_second for one in results):,.0f}",
    )


def main(
    folder: Annotated[Path, typer.Argument(help="Holds cls_trec_qc, trees_sst, …")],
    rows: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(ROWS),
    layers: Annotated[str, typer.Option(help="'ours', 'torch.nn'.")] = ",".join(LAYERS),
    seeds: Annotated[int, typer.Option(help="Runs of each.")] = 3,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the runs in this folder.")] = None,
) -> None:
    """Train each row with several seeds, and print what the test parts say."""
    found = []
    with TemporaryDirectory() as scratch:
        for name in chosen(rows, ROWS):
            for who in chosen(layers, LAYERS):
                own = [*settings_of(ROWS[name], folder), f"task={LAYERS[who]}", *(set_ or ())]
                results = [
                    trained(
                        [*own, f"training.seed={seed}"],
                        (out or Path(scratch)) / f"{name}-{who}-{seed}",
                        make_reporter(),
                    )
                    for seed in range(1, seeds + 1)
                ]
                found.append(table_row(name, who, results))
                typer.echo(markdown_table(HEAD, found[-1:]), err=True)
    threads = load_config("classify", set_ or ()).training.threads or torch.get_num_threads()
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, found)}")


if __name__ == "__main__":
    run_command(main)
