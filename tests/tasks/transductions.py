"""Small transductions, for tests: tasks, texts in two languages, words to reverse."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellwise.tasks.transduce import Transduce
from cellwise.tasks.transduce_config import TransduceData, TransduceDecoding, TransduceModel

SMALL = {"embedding_size": 12, "hidden_size": 24, "dropout": 0.0}
ENGLISH = ("a small dog runs home.", "a big dog sleeps.", "the small cat sleeps at home.")
GERMAN = ("ein kleiner Hund läuft heim.", "ein großer Hund schläft.", "die Katze schläft daheim.")

Keys = Mapping[str, Any]


def task_of(
    kind: type[Transduce] = Transduce,
    /,
    *,
    data: Keys | None = None,
    model: Keys | None = None,
    decoding: Keys | None = None,
) -> Transduce:
    """A small task with some keys of its sections set."""
    return kind(
        TransduceData(**(data or {})),
        TransduceModel(**{**SMALL, **(model or {})}),
        TransduceDecoding(**(decoding or {})),
    )


def fitted(**sections: Keys) -> Transduce:
    """The same with its vocabularies."""
    task = task_of(**sections)
    task.fit(task.read("train"))
    return task


def file_of(folder: Path, name: str, lines: Sequence[str]) -> str:
    """The path of a new file of lines."""
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def parallel(folder: Path) -> dict[str, Any]:
    """The keys of a data section for two files of raw text, line by line."""
    source, target = file_of(folder, "x.en", ENGLISH), file_of(folder, "x.de", GERMAN)
    return {"train": source, "dev": source, "target_train": target, "target_dev": target}


def reversals(folder: Path) -> dict[str, Any]:
    """The keys of a data section for words of three letters and their reversals."""
    words = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
    path = file_of(folder, "pairs.tsv", [f"{word}\t{word[::-1]}" for word in words])
    return {"train": path, "dev": path, "target_unit": "characters"}
