"""Does a recurrent language model make a Markov assumption? What it recalls after a distance.

    python -m benchmarks.recall                      # some minutes
    python -m benchmarks.recall --cells gru --distances 2,50
    python -m benchmarks.recall --figure recall.svg

A line of the text is a key, d symbols of noise, a question mark and the key again:

    c u w x ... v ? c

Noise is drawn evenly from 8 symbols, keys from 16. The last key follows from the first, d + 2
places before, and from nothing else: it takes log 16 = 2.77 nats for whoever does not know the
first, and 0 for whoever does. An n-gram model of order 5 sees the first one for d up to 2. Networks
are trained with the task `language_model`; the figures are of lines that training did not hold.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.command import run_command
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.data.vocabulary import END, Vocabulary
from cellwise.tasks.ngrams import NGrams
from cellwise.training.config import build_config
from cellwise.training.run import load_run, train

KEYS = "abcdefghijklmnop"
NOISE = "stuvwxyz"
CELLS = ("elman", "gru", "lstm")
DISTANCES = (1, 2, 3, 5, 10, 20, 50)
ORDER = 5
TESTED = 400
LANES = 32
LINES_A_WINDOW = 2


@dataclass(frozen=True)
class Recall:
    """How well keys are recalled: nats a key, and the share that is likelier than the others."""

    nats: float
    accuracy: float

    @staticmethod
    def of(lines: Sequence[str], score: Callable[[Sequence[str]], list[float]]) -> Recall:
        """What a model recalls of lines, from the log probabilities it gives their last symbols."""
        nats, right = 0.0, 0
        for line in lines:
            scores = dict(zip(KEYS, score([line[:-1] + key for key in KEYS]), strict=True))
            nats -= scores[line[-1]]
            right += max(scores, key=scores.__getitem__) == line[-1]
        return Recall(nats / len(lines), right / len(lines))


def lines_of(distance: int, count: int, seed: int) -> list[str]:
    """Lines with so much noise between a key and its question."""
    choose = random.Random(seed)
    return [
        f"{key}{''.join(choose.choices(NOISE, k=distance))}?{key}"
        for key in choose.choices(KEYS, k=count)
    ]


def of_ngrams(training: Sequence[str], tested: Sequence[str]) -> Recall:
    """What the n-gram model recalls."""
    symbols = Vocabulary.build(training)
    numbers = [[*symbols.encode(line), END] for line in training]
    model = NGrams.fit(numbers, n_symbols=len(symbols), order=ORDER)

    def score(lines: Sequence[str]) -> list[float]:
        shares = model.distribution(symbols.encode(lines[0][:-1]))
        return [math.log(shares[symbols.encode(line[-1])[0]]) for line in lines]

    return Recall.of(tested, score)


@dataclass(frozen=True)
class Effort:
    """How networks are trained: their size, lines of text, and steps of 64 lines each."""

    hidden_size: int = 64
    n_lines: int = 16_000
    steps: int = 2000
    threads: int = 2


def of_network(
    cell: str, training: Sequence[str], tested: Sequence[str], effort: Effort, folder: Path
) -> Recall:
    """What a network of one layer recalls after training."""
    text = folder / "text.txt"
    text.write_text("".join(f"{line}\n" for line in training), encoding="utf-8")
    tables = {
        "data": {"train": str(text), "unit": "characters"},
        "model": {
            "cell": cell,
            "hidden_size": effort.hidden_size,
            "num_layers": 1,
            "dropout": 0.0,
            "restart_rate": 0.1,
            "window": LINES_A_WINDOW * (len(training[0]) + 1),
        },
        "decoding": {"lanes": LANES},
        "training": {
            "epochs": max(1, effort.steps * LANES * LINES_A_WINDOW // len(training)),
            "batch_size": LANES,
            "learning_rate": 0.01,
            "warmup_steps": 100,
            "threads": effort.threads,
            "device": "cpu",
            "tensorboard": False,
        },
    }
    train(build_config("language_model", tables, source="benchmark"), folder / "run")
    run = load_run(folder / "run")

    def score(lines: Sequence[str]) -> list[float]:
        return [answer.record["log_probabilities"][-2] for answer in run.answers(lines)]

    return Recall.of(tested, score)


def row(distance: int, found: Sequence[Recall]) -> tuple[str, ...]:
    """A row of the table: nats a key, and the share of keys that are right."""
    return str(distance), *(f"{one.nats:.2f}  ({one.accuracy:.0%})" for one in found)


def draw(path: Path, distances: Sequence[int], found: dict[str, list[Recall]]) -> None:
    """The figure: nats a key over the distance, a line a model."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
    for name, recalls in found.items():
        axes.plot(distances, [one.nats for one in recalls], marker="o", label=name)
    axes.axhline(math.log(len(KEYS)), color="grey", linestyle=":", label="knows nothing")
    axes.set(xscale="log", xlabel="symbols between", ylabel="nats to recall a key")
    axes.set_xticks(distances, [str(distance) for distance in distances])
    axes.legend()
    figure.savefig(path)


def main(
    cells: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(CELLS),
    distances: Annotated[str, typer.Option(help="Numbers, separated by commas.")] = ",".join(
        map(str, DISTANCES)
    ),
    steps: Annotated[int, typer.Option(help="Steps of training a network.")] = Effort.steps,
    threads: Annotated[int, typer.Option(help="How many compute.")] = Effort.threads,
    figure: Annotated[Path | None, typer.Option(help="Draw it, too: .svg, .png or .pdf.")] = None,
) -> None:
    """Train a network of each cell for each distance, and print what it recalls."""
    names = cells.split(",")
    chosen = [int(distance) for distance in distances.split(",")]
    found: dict[str, list[Recall]] = {f"{ORDER}-gram": [], **{name: [] for name in names}}
    effort = Effort(steps=steps, threads=threads)
    for distance in chosen:
        training = lines_of(distance, effort.n_lines, seed=1)
        tested = lines_of(distance, TESTED, seed=2)
        found[f"{ORDER}-gram"].append(of_ngrams(training, tested))
        for name in names:
            with TemporaryDirectory() as folder:
                recall = of_network(name, training, tested, effort, Path(folder))
            found[name].append(recall)
            typer.echo(f"{name}, {distance}: {recall}", err=True)
    rows = [row(d, [found[name][i] for name in found]) for i, d in enumerate(chosen)]
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(('between', *found), rows)}")
    if figure is not None:
        draw(figure, chosen, found)


if __name__ == "__main__":
    run_command(main)
