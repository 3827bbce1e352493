"""Parts of speech and names: what the recipes `tag` and `tag_ner` reach, beside torch.nn.LSTM.

    python -m benchmarks.tagging ../shared/data              # all rows, 3 seeds each: hours
    python -m benchmarks.tagging ../shared/data --rows french --seeds 1

FOLDER holds the Universal Dependencies treebanks EWT, Sequoia and IMST and the Broad Twitter
Corpus, each in a folder of the name that `ROWS` says. Dev chooses the epoch; of the tweets a tenth
of the training sections, by a hash of the text, is dev. The peer is the same model with
torch.nn.LSTM in the place of our layers: the same first weights, the same dropout, the same data.

Published for English parts of speech, of an older version of the treebank, without pre-trained
vectors: 94.6 (Plank, Søgaard and Goldberg 2016).
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
from cellwise.tasks.tag import Tag
from cellwise.training.config import RunConfig, load_config
from cellwise.training.progress import Reporter, make_reporter
from cellwise.training.run import load_run, train

PEER = with_torch(Tag)
HEAD = ("data", "layers", "runs", "metric", "dev", "test", "seconds")


@dataclass(frozen=True)
class Row:
    """A recipe, its data by part, further settings, and the metric that counts."""

    recipe: str
    data: Mapping[str, str]
    settings: Sequence[str] = ()
    metric: str = "accuracy"

    def overrides(self, folder: Path) -> list[str]:
        """The settings, with the data in a folder."""
        places = (f"data.{part}={folder.resolve() / name}" for part, name in self.data.items())
        return [*places, *self.settings]


def _treebank(stem: str) -> dict[str, str]:
    return {part: f"{stem}-ud-{part}.conllu.gz" for part in ("train", "dev", "test")}


SMALL_STEPS = ("training.batch_size=16", "training.patience=0")
"""For a few thousand sentences, of which an epoch has few steps."""

MORPHOLOGY = (
    "model.character_embedding_size=64",
    "model.character_hidden_size=128",
    "model.hidden_size=192",
    "model.dropout=0.5",
)
"""For a language that says with endings what others say with words."""

TWEETS = {
    "train": "ner_broad_twitter/[abeg].conll.gz",
    "test": "ner_broad_twitter/f.conll.gz",
}

ROWS: Mapping[str, Row] = {
    "english": Row("tag", _treebank("ud_english_ewt/en_ewt")),
    "french": Row(
        "tag", _treebank("ud_french_sequoia/fr_sequoia"), (*SMALL_STEPS, "training.epochs=15")
    ),
    "turkish": Row(
        "tag",
        _treebank("ud_turkish_imst/tr_imst"),
        (*SMALL_STEPS, *MORPHOLOGY, "training.epochs=20"),
    ),
    "names_crf": Row("tag_ner", TWEETS, ("data.dev_share=0.1",), "span_f1"),
    "names_softmax": Row(
        "tag_ner", TWEETS, ("data.dev_share=0.1", "model.head=softmax"), "span_f1"
    ),
}


LAYERS: Mapping[str, str] = {"ours": Tag.name, "torch.nn": PEER.name}


@dataclass(frozen=True)
class Result:
    """What a training took and gave: seconds of training, the best dev metric, metrics of test."""

    seconds: float
    dev: float
    test: Mapping[str, float]


def trained(config: RunConfig, folder: Path, reporter: Reporter) -> Result:
    """Train into a folder, and judge on the test part; the judging of test is not timed."""
    start = time.perf_counter()
    outcome = train(config, folder, reporter=reporter)
    seconds = time.perf_counter() - start
    return Result(seconds, outcome.best_value or 0.0, load_run(folder).evaluate())


def table_row(name: str, layers: str, results: Sequence[Result]) -> tuple[str, ...]:
    """A row of the table: means over the runs, with their standard deviations."""
    metric = ROWS[name].metric
    dev = shown([100 * one.dev for one in results])
    test = shown([100 * one.test[metric] for one in results])
    seconds = shown([one.seconds for one in results])
    return name, layers, str(len(results)), metric, dev, test, seconds


def main(  # noqa: PLR0913, PLR0917 - a command has as many options as it needs
    folder: Annotated[Path, typer.Argument(help="Holds the folders of the data sets.")],
    rows: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(ROWS),
    seeds: Annotated[int, typer.Option(help="Runs of each row and layer.")] = 3,
    layers: Annotated[str, typer.Option(help="ours, torch.nn or both.")] = ",".join(LAYERS),
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the runs in this folder.")] = None,
) -> None:
    """Train each row with several seeds, and print dev and test metrics and seconds."""
    TASKS.setdefault(PEER.name, PEER)
    lines = []
    with TemporaryDirectory() as scratch:
        for name in chosen(rows, ROWS):
            for who in chosen(layers, LAYERS):
                own = [*ROWS[name].overrides(folder), f"task={LAYERS[who]}"]
                own += [f"training.threads={threads}", *(set_ or ())]
                results = [
                    trained(
                        load_config(ROWS[name].recipe, [*own, f"training.seed={seed}"]),
                        (out or Path(scratch)) / f"{name}-{who}-{seed}",
                        make_reporter(),
                    )
                    for seed in range(1, seeds + 1)
                ]
                lines.append(table_row(name, who, results))
                typer.echo(lines[-1], err=True)
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, lines)}")


if __name__ == "__main__":
    run_command(main)
