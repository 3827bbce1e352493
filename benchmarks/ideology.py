"""Party from a sentence of a speech: a recursive network, and a bag of words beside it.

    python -m benchmarks.ideology FOLDER        # needs scikit-learn

FOLDER holds training_set.zip and development_set.zip of the "convote" corpus (Thomas, Pang and Lee
2006): speeches in the US House of Representatives of 2005, a file each, a sentence a line, the
party in the file's name. A sentence counts as its speaker's party's. The development set, of other
debates, is the test here; the debates of every tenth number of the training set choose epoch and
regularisation.

The corpus comes without parses, and none are made: sentences become trees that branch to the right,
so that the network reads a sentence from its end. Iyyer et al. 2014 parse, select sentences, and
start from word2vec's vectors; their figures are no measure for these.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.command import run_command
from cellwise.bench.machine import this_machine
from cellwise.bench.tables import markdown_table
from cellwise.brackets import Tree
from cellwise.errors import DataError
from cellwise.tasks.compose_trees import right_branching
from cellwise.training.config import load_config
from cellwise.training.progress import Reporter, make_reporter
from cellwise.training.run import load_run, train

PARTIES = ("D", "R")
SETTINGS = (
    "data.labels=root",
    "data.min_count=3",
    "model.cell=recursive",
    "model.hidden_size=50",
    "training.epochs=8",
    "training.patience=2",
    "training.learning_rate=0.02",
    "training.batch_size=50",
)
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Of scikit-learn's inverse regularisation C: dev chooses."""

HEAD = ("model", "sentences", "dev", "test", "test, balanced")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a speech: the debate, the speaker's party, the words."""

    debate: int
    party: str
    words: tuple[str, ...]

    def tree(self) -> str:
        """The sentence as a tree that branches to the right, its root labelled by the party."""
        tree = right_branching(tuple(map(_without_brackets, self.words)))
        return str(Tree((self.party, *tree.labels[1:]), tree.words, tree.parents))


def _without_brackets(word: str) -> str:
    return word.replace("(", "-LRB-").replace(")", "-RRB-")


def read_speeches(path: Path, *, shortest: int) -> Iterator[Sentence]:
    """The sentences of an archive that have so many words at least, of Democrats and Republicans.

    Raises:
        DataError: there is no such archive.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            # 052_400011_0327014_DON.txt: debate, speaker, page, then party, mention, vote
            pieces = PurePosixPath(name).stem.split("_")
            if len(pieces) != 4 or pieces[3][:1] not in PARTIES:
                continue
            for line in archive.read(name).decode("latin-1").splitlines():
                words = tuple(line.split())
                if len(words) >= shortest:
                    yield Sentence(int(pieces[0]), pieces[3][0], words)


def parts(folder: Path, *, shortest: int) -> dict[str, list[Sentence]]:
    """Training and dev sentences, of different debates, and those of the test."""
    known = list(read_speeches(folder / "training_set.zip", shortest=shortest))
    debates = sorted({sentence.debate for sentence in known})
    judges = set(debates[::10])
    return {
        "train": [s for s in known if s.debate not in judges],
        "dev": [s for s in known if s.debate in judges],
        "test": list(read_speeches(folder / "development_set.zip", shortest=shortest)),
    }


def balanced(right: Sequence[str], found: Sequence[str]) -> float:
    """The mean over the parties of the share of their sentences that is found."""
    pairs = list(zip(right, found, strict=True))
    shares = [[r == f for r, f in pairs if r == party] for party in PARTIES]
    return sum(sum(hits) / len(hits) for hits in shares) / len(shares)


def accuracy(right: Sequence[str], found: Sequence[str]) -> float:
    """The share of right answers."""
    return sum(map(str.__eq__, right, found)) / len(right)


def bag_of_words(data: dict[str, list[Sentence]]) -> dict[str, list[str]]:
    """What logistic regression on the words of a sentence says of dev and test."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    # words are separated already; each counts once, as the literature on sentences has it
    bags = CountVectorizer(analyzer=set, min_df=3)
    rows = {
        part: bags.fit_transform([s.words for s in found])
        if part == "train"
        else bags.transform([s.words for s in found])
        for part, found in data.items()
    }
    right = {part: [s.party for s in found] for part, found in data.items()}
    models = [
        LogisticRegression(C=strength, max_iter=1000).fit(rows["train"], right["train"])
        for strength in STRENGTHS
    ]
    best = max(models, key=lambda model: accuracy(right["dev"], list(model.predict(rows["dev"]))))
    return {part: list(best.predict(rows[part])) for part in ("dev", "test")}


def recursive_network(
    data: dict[str, list[Sentence]], folder: Path, settings: Sequence[str], reporter: Reporter
) -> dict[str, list[str]]:
    """What the recipe `compose` with the cell `recursive` says of dev and test."""
    places = []
    for part, found in data.items():
        path = folder / f"{part}.txt"
        path.write_text("".join(f"{s.tree()}\n" for s in found), encoding="utf-8")
        places.append(f"data.{part}={path}")
    train(load_config("compose", [*places, *settings]), folder / "run", reporter=reporter)
    run = load_run(folder / "run")
    return {
        part: [answer.record["label"] for answer in run.answers([s.tree() for s in data[part]])]
        for part in ("dev", "test")
    }


def row(name: str, data: dict[str, list[Sentence]], found: dict[str, list[str]]) -> tuple[str, ...]:
    """A row of the table."""
    right = {part: [s.party for s in data[part]] for part in found}
    figures = [accuracy(right[part], found[part]) for part in ("dev", "test")]
    figures.append(balanced(right["test"], found["test"]))
    return name, str(len(data["train"])), *(f"{100 * figure:.1f} %" for figure in figures)


def main(
    folder: Annotated[Path, typer.Argument(help="Holds the two archives of the corpus.")],
    shortest: Annotated[int, typer.Option(help="Leave shorter sentences out.")] = 8,
    threads: Annotated[int, typer.Option(help="How many compute.")] = 2,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting, as in cellwise train.")
    ] = None,
) -> None:
    """Train both on the same sentences, and print their accuracies beside the majority's."""
    data = parts(folder, shortest=shortest)
    majority = max(PARTIES, key=[s.party for s in data["train"]].count)
    always = {part: [majority] * len(data[part]) for part in ("dev", "test")}
    rows = [row(f"always {majority}", data, always)]
    rows.append(row("bag of words, logistic regression", data, bag_of_words(data)))
    settings = [*SETTINGS, f"training.threads={threads}", *(set_ or ())]
    with TemporaryDirectory() as scratch:
        found = recursive_network(data, Path(scratch), settings, make_reporter())
    rows.append(row("recursive, branching to the right", data, found))
    counts = ", ".join(f"{len(found)} {part}" for part, found in data.items())
    typer.echo(f"{this_machine(threads)}; sentences: {counts}\n\n{markdown_table(HEAD, rows)}")


if __name__ == "__main__":
    run_command(main)
