"""Answers in dialogues beside an n-gram model: `python -m benchmarks.conversation`.

    python -m benchmarks.conversation prepare ../shared/data dialogues
    python -m benchmarks.conversation train dialogues --layers ours,torch.nn --out runs/converse
    python -m benchmarks.conversation compare runs/converse/ours
    python -m benchmarks.conversation sample runs/converse/ours

`prepare` joins two data sets: DailyDialog (1,000 dialogues, parted by a hash) and the
Schema-Guided Dialogue data (its train part, a twentieth of which is dev; its dev part is test).
`train` trains the recipe, with torch.nn.LSTM in the place of our layers, too: the same first
weights, the same data. `compare` judges a run and an interpolated 5-gram model, which is fitted to
the same training turns, on the same test turns, symbols and vocabulary. `sample` talks with a run:
ten openings that were written before there was a model, all of them shown.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.names import chosen
from benchmarks.torch_layers import with_torch
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.data.dialogues import Dialogue, read_dialogues
from cellwise.data.lines import fraction
from cellwise.tasks import TASKS
from cellwise.tasks.converse import Converse
from cellwise.tasks.ngrams import NGrams
from cellwise.training import run as runs
from cellwise.training.config import load_config
from cellwise.training.progress import make_reporter
from cellwise.training.run import load_run

PEER = with_torch(Converse)
LAYERS = {"ours": Converse.name, "torch.nn": PEER.name}
HEAD = ("layers", "perplexity", "distinct_1", "distinct_2", "epochs", "minutes")

DAILY = "conv_dailydialog_1k/dialogues_text_En.txt.gz"
GUIDED = "conv_sgd"

OPENINGS: tuple[tuple[str, ...], ...] = (
    ("Hello, how are you?", "I am a bit tired."),
    ("I would like to book a table for two.", "In San Francisco, at seven."),
    ("Can you find me a good dentist?", "What is the address?"),
    ("What do you do on weekends?", "That sounds nice."),
    ("I need a bus to Sacramento.", "On the third of March."),
    ("Did you watch the match last night?", "Who won?"),
    ("Is it going to rain tomorrow?", "And how warm will it be?"),
    ("I lost my wallet.", "I think it was on the train."),
    ("Play some music, please.", "Something quiet."),
    ("Thank you for your help.", "Goodbye."),
)
"""What is said to a run, turn by turn."""

app = typer.Typer(add_completion=False)


@app.command()
def prepare(
    source: Annotated[Path, typer.Argument(help="Where the data sets are.")],
    target: Annotated[Path, typer.Argument(help="The folder to write to.")],
) -> None:
    """Write train.jsonl, dev.jsonl and test.jsonl, a dialogue a line."""
    parts: dict[str, list[Dialogue]] = {"train": [], "dev": [], "test": []}
    for dialogue in read_dialogues(source / DAILY):
        share = fraction(" ".join(dialogue))
        parts["test" if share < 0.1 else "dev" if share < 0.15 else "train"].append(dialogue)
    for dialogue in _guided(source / GUIDED / "train"):
        parts["dev" if fraction(" ".join(dialogue)) < 0.05 else "train"].append(dialogue)
    parts["test"] += _guided(source / GUIDED / "dev")
    target.mkdir(parents=True, exist_ok=True)
    for name, dialogues in parts.items():
        lines = (json.dumps(dialogue, ensure_ascii=False) for dialogue in dialogues)
        (target / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        typer.echo(f"{name}: {len(dialogues):,} dialogues, {sum(map(len, dialogues)):,} turns")


def _guided(folder: Path) -> Iterable[Dialogue]:
    for path in sorted(folder.glob("dialogues_*.json.gz")):
        yield from read_dialogues(path)


@app.command()
def train(
    folder: Annotated[Path, typer.Argument(help="What `prepare` wrote.")],
    out: Annotated[Path, typer.Option(help="Keep the runs in this folder.")],
    layers: Annotated[str, typer.Option(help="ours, torch.nn or both.")] = "ours",
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
) -> None:
    """Train the recipe; what each took and gave on the test part. The judging is not timed."""
    TASKS.setdefault(PEER.name, PEER)
    files = [f"data.{part}={folder.resolve() / part}.jsonl" for part in ("train", "dev", "test")]
    rows = []
    for kind in chosen(layers, LAYERS):
        settings = [f"task={LAYERS[kind]}", *files, f"training.threads={threads}", *(set_ or ())]
        start = time.perf_counter()
        outcome = runs.train(
            load_config("converse", settings), out / kind, reporter=make_reporter()
        )
        minutes = (time.perf_counter() - start) / 60
        found = load_run(out / kind).evaluate(part="test")
        figures = (f"{found[name]:.2f}" for name in HEAD[1:4])
        rows.append((kind, *figures, str(outcome.epochs), f"{minutes:.1f}"))
    typer.echo(f"{this_machine(threads)}\n\n{markdown_table(HEAD, rows)}")


@app.command()
def compare(run_folder: Path) -> None:
    """The perplexity of a run and of a 5-gram model on the run's test turns."""
    TASKS.setdefault(PEER.name, PEER)
    run = load_run(run_folder)
    task = run.task
    assert isinstance(task, Converse)
    parts = {part: _turns(task, part) for part in ("train", "test")}
    model = NGrams.fit(parts["train"], order=5, n_symbols=len(task.targets))
    found = model.log_probabilities(parts["test"])
    nats, count = -float(found.sum()), len(found)
    metrics = run.evaluate(part="test")
    typer.echo("| model | perplexity | turns | symbols |")
    typer.echo("|---|---|---|---|")
    counts = f"{len(parts['test']):,} | {count:,}"
    typer.echo(f"| interpolated 5-gram | {math.exp(nats / count):.2f} | {counts} |")
    typer.echo(f"| {run_folder.name} | {metrics['perplexity']:.2f} | {counts} |")
    typer.echo(json.dumps({name: round(value, 4) for name, value in metrics.items()}))


@app.command()
def sample(run_folder: Path, *, mutual_information: float = 0.0) -> None:
    """Ten short conversations in Markdown."""
    TASKS.setdefault(PEER.name, PEER)
    run = load_run(run_folder)
    for number, said in enumerate(OPENINGS, 1):
        turns: list[str] = []
        for text in said:
            turns.append(text)
            (answer,) = run.predict(["\t".join(turns)], mutual_information=mutual_information)
            turns.append(answer)
        typer.echo(f"{number}. " + " / ".join(_speakers(turns)))


def _speakers(turns: Sequence[str]) -> list[str]:
    return [f"*{text}*" if place % 2 == 0 else text for place, text in enumerate(turns)]


def _turns(task: Converse, part: str) -> list[Sequence[int]]:
    """The answers of a part in numbers, as the network is given them, each ended."""
    pairs = task.read(part)  # type: ignore[arg-type]
    batches = [task.collate([pair]) for pair in pairs]
    return [batch.after[:, 0].tolist() for batch in batches]


if __name__ == "__main__":
    app()
