"""Steps of training with our layers and with torch.nn.LSTM in their place, for every use.

    python -m benchmarks.uses ../shared/data
    python -m benchmarks.uses ../shared/data --rows words,translate --rounds 9

FOLDER holds the data sets by the names that the benchmarks of the tasks use; each row is a recipe
with the settings that it has there. Both models start from the same weights, and in each round both
train on the same batches, in turns: everything counts, from texts to changed weights, not the
layers alone. The last column is how far apart the two losses of all steps are; dropout between
layers draws other numbers in torch's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer

from benchmarks import captions, classification, conversation, language_models, parsing, tagging
from benchmarks.command import run_command
from benchmarks.names import chosen
from benchmarks.torch_layers import with_torch
from benchmarks.translation import files as files_of_translation
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table, shown
from cellwise.bench.timing import ratios
from cellwise.data.batches import sizes_of
from cellwise.tasks import Task
from cellwise.training.config import RunConfig, load_config
from cellwise.training.descent import Descent
from cellwise.training.processes import Processes

HEAD = ("use", "recipe", "ms / step", "torch.nn, ms / step", "torch.nn / ours", "losses apart")
WARM_UP = 2

Configure = Callable[[Path, Path], RunConfig]
"""The configuration of a row, from the folder of the data and one to write to."""


def _tag(name: str) -> Configure:
    row = tagging.ROWS[name]
    return lambda folder, _: load_config(row.recipe, row.overrides(folder))


def _classify(name: str) -> Configure:
    row = classification.ROWS[name]
    return lambda folder, _: load_config("classify", classification.settings_of(row, folder))


def _language_model(name: str) -> Configure:
    row = language_models.ROWS[name]
    return lambda folder, _: language_models.configured(row, "language_model", folder, ())


def _translate(folder: Path, _: Path) -> RunConfig:
    return load_config("translate", files_of_translation(folder.resolve() / "mt_multi30k"))


def _parse(folder: Path, _: Path) -> RunConfig:
    return load_config("parse", parsing.data_settings(folder / "trees_craft"))


def _converse(folder: Path, scratch: Path) -> RunConfig:
    conversation.prepare(folder, scratch)
    return load_config("converse", [f"data.{p}={scratch}/{p}.jsonl" for p in ("train", "dev")])


def _describe(folder: Path, _: Path) -> RunConfig:
    return captions.configured(folder.resolve() / "caption_flickr8k_800")


USES: Mapping[str, Configure] = {
    **{name: _tag(name) for name in ("english", "turkish", "names_crf")},
    **{name: _classify(name) for name in classification.ROWS},
    **{name: _language_model(name) for name in language_models.ROWS},
    "pronounce": lambda _, __: load_config("pronounce", ()),
    "translate": _translate,
    "parse": _parse,
    "converse": _converse,
    "describe": _describe,
}


@dataclass(frozen=True)
class Steps:
    """Seconds that steps of each round took, and the loss of all."""

    seconds: list[float]
    losses: list[float]

    @property
    def loss(self) -> float:
        """The sum over all steps."""
        return sum(self.losses)


class Side:
    """A task in training, without a run folder."""

    def __init__(self, task: Task[Any, Any], config: RunConfig):
        torch.manual_seed(config.training.seed)
        self._descent = Descent(task, task.build().train(), config.training, Processes("cpu"))
        self._rate = config.training.learning_rate
        self.steps = Steps([], [])

    def train(self, batches: Sequence[Sequence[Any]], *, seed: int) -> None:
        """A round: a step for each batch."""
        torch.manual_seed(seed)
        start = time.perf_counter()
        losses = [self._descent.step([batch], self._rate).loss for batch in batches]
        self.steps.seconds.append((time.perf_counter() - start) / len(batches))
        self.steps.losses.extend(losses)


def measure(config: RunConfig, *, rounds: int, steps: int) -> tuple[Steps, Steps]:
    """What `rounds` rounds of `steps` steps take with our layers, and with torch's."""
    task = config.make_task()
    examples = task.read("train")
    task.fit(examples)
    peer = with_torch(type(task))(task.data, task.model, task.decoding)
    peer.restore(task.vocabularies())
    batch_size, seed = config.training.batch_size, config.training.seed
    sizes = sizes_of(examples, task.training_size)
    plan = task.plan(sizes, batch_size, seed=seed, epoch=0)
    batches = [[examples[place] for place in batch] for batch in plan[: rounds * steps]]
    warm_up = batches[:WARM_UP]
    sides = [Side(task, config), Side(peer, config)]
    for side in sides:
        side.train(warm_up, seed=seed)
        side.steps = Steps([], [])
    for number, first in enumerate(range(0, len(batches), steps)):
        for side in sides if number % 2 else reversed(sides):
            side.train(batches[first : first + steps], seed=number)
    return sides[0].steps, sides[1].steps


def table_row(name: str, recipe: str, ours: Steps, theirs: Steps) -> tuple[str, ...]:
    """A row of the table: medians over rounds, and the ratio within each round."""
    apart = abs(theirs.loss / ours.loss - 1)
    times = (median(one.seconds) * 1e3 for one in (ours, theirs))
    ratio = shown(ratios(theirs.seconds, ours.seconds))
    return name, recipe, *(f"{ms:.1f}" for ms in times), ratio, f"{100 * apart:.2f} %"


def main(
    folder: Annotated[Path, typer.Argument(help="Holds the folders of the data sets.")],
    rows: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(USES),
    rounds: Annotated[int, typer.Option(help="Of steps, ours and torch's in turns.")] = 7,
    steps: Annotated[int, typer.Option(help="In a round.")] = 6,
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
) -> None:
    """Train each use for some steps with both layers, and print the ratio of times."""
    torch.set_num_threads(threads)
    lines = []
    with TemporaryDirectory() as scratch:
        for name in chosen(rows, USES):
            config = USES[name](folder, Path(scratch) / name)
            ours, theirs = measure(config, rounds=rounds, steps=steps)
            lines.append(table_row(name, config.task, ours, theirs))
            typer.echo(lines[-1], err=True)
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, lines)}")


if __name__ == "__main__":
    run_command(main)
