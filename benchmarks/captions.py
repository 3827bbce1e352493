"""The recipe `describe` on a folder of photos, beside captions that need no network.

    python -m benchmarks.captions FOLDER                   # 800 photos of Flickr8k, three seeds
    python -m benchmarks.captions FOLDER --set training.epochs=1 --seeds 1 --models ours

FOLDER holds images.zip, captions.txt, features_256.npy and features_256.names.txt. The recipe's
small convolutional network is trained along (ours); so it is with torch.nn.LSTM in the place of our
layer (torch.nn), and the same decoder is trained on the features of the file (features). Each model
also captions every test photo while it looks at another one: what it loses by that is what it knows
from looking. Dev chooses epochs and numbers of neighbours.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.captions_baselines import (
    Vectors,
    agreed,
    best_for_all,
    centred,
    most_frequent,
    nearest,
    scores,
)
from benchmarks.command import run_command
from benchmarks.names import chosen
from benchmarks.torch_layers import with_torch
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.data.captions import Captioned
from cellwise.data.image_features import read_features
from cellwise.data.images import Images
from cellwise.tasks import TASKS, Describe
from cellwise.tasks.base import Part
from cellwise.training.config import RunConfig, load_config
from cellwise.training.progress import Reporter, make_reporter
from cellwise.training.run import Run, load_run, train
from cellwise.training.sources import PARTS

PEER = with_torch(Describe)
HEAD = ("captions from", "BLEU", "BLEU-1", "distinct", "nats / symbol", "BLEU, other photo", "min")
METRICS = {"bleu": 1, "bleu_1": 1, "distinct_captions": 0, "loss": 2}
"""The metrics of the table's first columns, and their digits."""

THUMBNAIL = 16


@dataclass(frozen=True)
class Model:
    """What is trained: its name in the table, its task, and how it differs from the recipe."""

    name: str
    task: str = Describe.name
    settings: tuple[str, ...] = ()


MODELS: Mapping[str, Model] = {
    "ours": Model("network trained along"),
    "torch.nn": Model("network trained along, torch.nn writes", PEER.name),
    "features": Model(
        "features of the file", settings=("model.encoder=features", "model.attention=none")
    ),
}

Parts = Mapping[Part, Sequence[Captioned]]


@dataclass(frozen=True)
class Plan:
    """Which models are trained, and with how many seeds each."""

    seeds: int
    models: Sequence[str]


@dataclass(frozen=True)
class Result:
    """What captions are worth, once for each seed.

    Attributes:
        metrics: those of the test part.
        other_bleu: BLEU of captions of other photos.
        minutes: of training.
    """

    metrics: tuple[Mapping[str, float], ...]
    other_bleu: tuple[float, ...] = ()
    minutes: tuple[float, ...] = ()


def configured(
    folder: Path, model: Model = MODELS["ours"], overrides: Sequence[str] = ()
) -> RunConfig:
    """The recipe of a model for the files of a folder."""
    files = [
        f"data.images={folder / 'images.zip'}",
        f"data.train={folder / 'captions.txt'}",
        f"data.features={folder / 'features_256.npy'}",
    ]
    return load_config("describe", [f"task={model.task}", *files, *overrides, *model.settings])


def exchanged(part: Sequence[Captioned]) -> list[Captioned]:
    """The captions of a part, each image's beside the next image."""
    images = [item.image for item in part]
    return [
        Captioned(other, item.captions)
        for item, other in zip(part, [*images[1:], *images[:1]], strict=True)
    ]


def trained(configs: Iterable[RunConfig], out: Path, *, reporter: Reporter) -> Result:
    """Train each, and judge on the test part; the judging is not timed."""
    metrics, other, minutes = [], [], []
    for seed, config in enumerate(configs, 1):
        start = time.perf_counter()
        train(config, out / str(seed), reporter=reporter)
        minutes.append((time.perf_counter() - start) / 60)
        run = load_run(out / str(seed))
        test = run.examples(part="test")
        metrics.append(run.evaluate_examples(test))
        other.append(run.evaluate_examples(exchanged(test))["bleu"])
    return Result(tuple(metrics), tuple(other), tuple(minutes))


def thumbnails(parts: Parts, images: Path) -> Vectors:
    """The pixels of very small images as vectors."""
    found = Images(images, THUMBNAIL)
    return {
        item.image: found.read(item.image, THUMBNAIL).astype(np.float32).flatten()
        for part in parts.values()
        for item in part
    }


def means(run: Run, parts: Parts) -> Vectors:
    """The mean regions of a trained model as vectors."""
    names = [item.image for part in parts.values() for item in part]
    with torch.no_grad():
        vectors = list(run.task.encode(run.model, names))
    return {name: vector.numpy() for name, vector in zip(names, vectors, strict=True)}


def baselines(parts: Parts, vectors: Mapping[str, Vectors]) -> dict[str, Result]:
    """What is said without a network, by what images are compared by."""
    known, dev, test = parts["train"], parts["dev"], parts["test"]
    found = {
        "the most frequent caption": most_frequent(known),
        "the one caption that is best on dev": best_for_all(known, dev),
    }
    for name, of_image in vectors.items():
        near = centred(of_image, known)
        found[f"the nearest photo by {name}"] = nearest(known, near)
        found[f"photos nearby that agree, by {name}"] = agreed(known, dev, near)
    return {name: Result((scores(caption, test),)) for name, caption in found.items()}


def measure(
    folder: Path, overrides: Sequence[str], out: Path, *, plan: Plan, reporter: Reporter
) -> dict[str, Result]:
    """All rows of the table; the runs go into folders below `out`."""
    TASKS.setdefault(PEER.name, PEER)
    learnt = {}
    for name in plan.models:
        model = MODELS[name]
        configs = (
            configured(folder, model, [*overrides, f"training.seed={seed}"])
            for seed in range(1, plan.seeds + 1)
        )
        learnt[f"describe, {model.name}"] = trained(configs, out / name, reporter=reporter)
    run = load_run(out / plan.models[0] / "1")
    parts: dict[Part, Sequence[Captioned]] = {part: run.task.read(part) for part in PARTS}
    features = read_features(folder / "features_256.npy", folder / "features_256.names.txt")
    vectors: dict[str, Vectors] = {
        "pixels": thumbnails(parts, folder / "images.zip"),
        "features of the file": {name: features[name][0].numpy() for name in features.names},
    }
    if "ours" in plan.models:
        vectors["the network trained along"] = means(load_run(out / "ours" / "1"), parts)
    return baselines(parts, vectors) | learnt


def rows(found: Mapping[str, Result]) -> list[tuple[str, ...]]:
    """The rows of the table; means and standard deviations over seeds."""
    return [
        (
            name,
            *(
                _told([one.get(metric) for one in result.metrics], digits)
                for metric, digits in METRICS.items()
            ),
            _told(result.other_bleu, 1),
            _told(result.minutes, 1),
        )
        for name, result in found.items()
    ]


def _told(numbers: Sequence[float | None], digits: int) -> str:
    known = [number for number in numbers if number is not None]
    if not known:
        return ""
    mean = f"{statistics.mean(known):.{digits}f}"
    return mean if len(known) == 1 else f"{mean} ± {statistics.stdev(known):.{digits}f}"


def main(
    folder: Annotated[Path, typer.Argument(help="images.zip, captions.txt, features_256.npy.")],
    models: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(MODELS),
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each model.")] = 3,
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the runs in this folder.")] = None,
) -> None:
    """Train the recipe, and print what captions are worth."""
    overrides = [f"training.threads={threads}", *(set_ or ())]
    with TemporaryDirectory() as scratch:
        place, plan = out or Path(scratch), Plan(seeds, chosen(models, MODELS))
        found = measure(folder, overrides, place, plan=plan, reporter=make_reporter())
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, rows(found))}")


if __name__ == "__main__":
    run_command(main)
