"""Language models of words and of letters: our layers, torch.nn.LSTM, and n-grams.

    python -m benchmarks.language_models FOLDER                  # about an hour and a half
    python -m benchmarks.language_models FOLDER --rows words --models 5-gram,ours

FOLDER holds the data sets as `lm_ptb` (the Penn Treebank as Mikolov prepared it) and
`lm_tinyshakespeare`, of which the last tenth is the test. The recipes are `language_model` and
`language_model_characters`. torch's layers start from the same weights; between layers they drop
other numbers at each step, where ours keep a mask for a window. The n-gram model is interpolated
modified Kneser-Ney; it reads line by line. A trained network is judged twice: as it is, and with
dynamic evaluation, where it learns from what it has read; dev chooses how fast.

Published for the Penn Treebank: 141.2 for n-grams of order 5 (Mikolov 2012), 114.5 for an LSTM of
2 layers of 200 without dropout (Zaremba et al. 2014).
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

from benchmarks.command import run_command
from benchmarks.names import chosen
from benchmarks.torch_layers import with_torch
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.data.text_stream import TextStream
from cellwise.errors import DataError
from cellwise.tasks import TASKS, LanguageModelling
from cellwise.tasks.ngrams import NGrams
from cellwise.training.config import RunConfig, load_config
from cellwise.training.metrics import read_metrics
from cellwise.training.progress import Reporter, make_reporter
from cellwise.training.run import load_run, train

ORDER = 5
NGRAM = f"{ORDER}-gram"
PEER = with_torch(LanguageModelling)
LAYERS = {"ours": LanguageModelling.name, "torch.nn": PEER.name}
MODELS = (NGRAM, *LAYERS)
RATES = (0.0002, 0.0005, 0.001)
"""Steps of dynamic evaluation that dev chooses from."""
HEAD = ("data", "model", "nats", "perplexity", "bits / character", "wanted", "s", "symbols / s")


@dataclass(frozen=True)
class DataSet:
    """A row of the table: its recipe, its parts below the folder, and what it is to reach."""

    recipe: str
    parts: Mapping[str, str]
    wanted: str


ROWS: Mapping[str, DataSet] = {
    "words": DataSet(
        "language_model",
        {
            "train": "lm_ptb/ptb.train.txt.gz",
            "dev": "lm_ptb/ptb.valid.txt.gz",
            "test": "lm_ptb/ptb.test.txt.gz",
        },
        "perplexity 115",
    ),
    "characters": DataSet(
        "language_model_characters", {"train": "lm_tinyshakespeare/input.txt.gz"}, "1.50 nats"
    ),
}


@dataclass(frozen=True)
class Result:
    """What a training took and gave; the metrics are those of the test part, read in order."""

    seconds: float
    symbols_per_second: float
    metrics: Mapping[str, float]


def configured(row: DataSet, task: str, folder: Path, overrides: Sequence[str]) -> RunConfig:
    """The row's recipe, for a task of that name, with the files that are in the folder.

    Raises:
        DataError: one is missing.
    """
    places = {part: (folder / name).resolve() for part, name in row.parts.items()}
    for place in places.values():
        if not place.is_file():
            raise DataError(f"there is no {place}")
    settings = [f"data.{part}={place}" for part, place in places.items()]
    return load_config(row.recipe, [f"task={task}", *settings, *overrides])


def trained(config: RunConfig, folder: Path, reporter: Reporter) -> Result:
    """Train into a folder, and judge on the whole test part; the judging is not timed."""
    outcome = train(config, folder, reporter=reporter)
    speeds = [line["units_per_second"] for line in read_metrics(folder) if line["part"] == "train"]
    pace = sum(speeds) / len(speeds) if speeds else 0.0
    return Result(outcome.seconds, pace, load_run(folder).evaluate(lanes=1))


def learning_on(folder: Path) -> tuple[float, Result]:
    """The rate of dynamic evaluation that dev chooses, and what it makes of the test part."""
    run = load_run(folder)

    def loss(rate: float) -> float:
        return run.evaluate(part="dev", lanes=1, dynamic_rate=rate)["loss"]

    rate = min(RATES, key=loss)
    start = time.perf_counter()
    stream = run.examples()
    metrics = run.evaluate_examples(stream, lanes=1, dynamic_rate=rate)
    seconds = time.perf_counter() - start
    return rate, Result(seconds, sum(map(run.task.size, stream)) / seconds, metrics)


def counted(config: RunConfig) -> Result:
    """What an n-gram model of the same symbols makes of the test part."""
    task = config.make_task()
    assert isinstance(task, LanguageModelling)
    start = time.perf_counter()
    train_part, test = task.read("train"), task.read("test")
    assert isinstance(train_part, TextStream)
    assert isinstance(test, TextStream)
    task.fit(train_part)
    model = NGrams.fit(map(task.numbers, train_part.text), n_symbols=len(task.words), order=ORDER)
    seconds = time.perf_counter() - start
    nats = -model.log_probabilities(map(task.numbers, test.text))
    metrics = {
        "loss": float(nats.mean()),
        "perplexity": math.exp(float(nats.mean())),
        "bits_per_character": float(nats.sum()) / math.log(2) / sum(len(t) + 1 for t in test.text),
    }
    return Result(seconds, train_part.n_symbols / seconds, metrics)


def table_row(name: str, model: str, result: Result) -> tuple[str, ...]:
    """A row of the table."""
    return (
        name,
        model,
        f"{result.metrics['loss']:.3f}",
        f"{result.metrics['perplexity']:.1f}",
        f"{result.metrics['bits_per_character']:.3f}",
        ROWS[name].wanted,
        f"{result.seconds:.0f}",
        f"{result.symbols_per_second:,.0f}",
    )


def main(
    folder: Annotated[Path, typer.Argument(help="Holds the data sets.")],
    rows: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(ROWS),
    models: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(MODELS),
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the runs in this folder.")] = None,
) -> None:
    """Train each model on each text, and print what they make of the test parts."""
    TASKS.setdefault(PEER.name, PEER)
    wanted = chosen(models, MODELS)
    found = []
    with TemporaryDirectory() as scratch:
        for name in chosen(rows, ROWS):
            for model in wanted:
                overrides = [f"training.threads={threads}", *(set_ or ())]
                config = configured(
                    ROWS[name], LAYERS.get(model, "language_model"), folder, overrides
                )
                if model == NGRAM:
                    results = {model: counted(config)}
                else:
                    place = (out or Path(scratch)) / f"{name}-{model}"
                    results = {model: trained(config, place, make_reporter())}
                    rate, result = learning_on(place)
                    results[f"{model}, dynamic, {rate:g}"] = result
                found += [table_row(name, label, result) for label, result in results.items()]
                typer.echo(found[-len(results) :], err=True)
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, found)}")


if __name__ == "__main__":
    run_command(main)
