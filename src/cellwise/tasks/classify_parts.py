"""The parts of `classify`'s data: read, their labels made classes, phrases of trees taken out."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from pathlib import Path

from cellwise.data.labelled import Labelled, map_labelled, phrases, read_labelled
from cellwise.data.lines import fraction
from cellwise.data.trees import read_trees
from cellwise.errors import ConfigError, DataError
from cellwise.tasks.base import Part
from cellwise.tasks.classify_config import ClassifyData
from cellwise.tasks.parts import files_of, read_parts

Whole = tuple[Labelled, ...]
"""A text, and behind it the phrases within that are learnt, too."""


def read_texts(path: Path, data: ClassifyData) -> list[Labelled]:
    """The texts of a file, without those that `data.classes` leaves out.

    Raises:
        DataError: the file cannot be read, or it holds no text that counts.
    """
    if path == Path(ClassifyData().train) and not path.exists():
        raise DataError(
            f"there is no {path} here. Say where labelled texts are: columns separated by tabs, "
            "whose names 'text' and 'label' stand in the first line, or another data.format:\n"
            "  --set data.train=FILE --set data.dev=FILE --set data.test=FILE"
        )
    return _counting(read_labelled(path, data.layout()), data, path)


def read_all_parts(data: ClassifyData) -> dict[Part, Sequence[Labelled]]:
    """The texts of each part; of trees, the training part may hold every phrase, each once.

    Where no file is named, shares of train become dev and test: the texts with the lowest hashes,
    and those with the highest ones.

    Raises:
        DataError: a file cannot be read, or train is too small to be split.
        ConfigError: training texts are to stay in their file, but some of them not to count.
    """
    if not data.in_memory:
        return _parts_with_mapped_train(data)

    def read(path: Path) -> list[Whole]:
        if data.format == "trees" and data.phrases:
            return [tuple(phrases(tree)) for tree in read_trees(path)]
        return [(text,) for text in read_texts(path, data)]

    found = read_parts(data, read, key=_key, what="texts")
    train, test = found["train"], found["test"]
    if not data.test and data.test_share:
        train, test = _without_test(train, data)
    return {
        "train": _counting(dict.fromkeys(text for whole in train for text in whole), data),
        "dev": _counting((whole[0] for whole in found["dev"]), data),
        "test": _counting((whole[0] for whole in test), data) if test else [],
    }


def _parts_with_mapped_train(data: ClassifyData) -> dict[Part, Sequence[Labelled]]:
    """The parts, with training texts that stay in their file."""
    utf8 = codecs.lookup(data.encoding).name == "utf-8"
    if not data.dev or data.test_share or not utf8 or not all(data.classes.values()):
        raise ConfigError(
            "data.in_memory = false leaves training texts in their file: name data.dev, and leave "
            "data.test_share at 0, data.encoding at 'utf-8', and no text out by data.classes"
        )

    def change(text: Labelled) -> Labelled:
        return _with_classes(text, data.classes)

    def whole(name: str) -> list[Labelled]:
        return [text for path in files_of(name) for text in read_texts(path, data)]

    train = map_labelled(Path(data.train), data.layout(), change=change)
    return {"train": train, "dev": whole(data.dev), "test": whole(data.test) if data.test else []}


def _without_test(train: list[Whole], data: ClassifyData) -> tuple[list[Whole], list[Whole]]:
    """The training texts without a share of them, and that share."""
    bound = 1 - data.test_share
    rest = [whole for whole in train if fraction(_key(whole)) < bound]
    test = [whole for whole in train if fraction(_key(whole)) >= bound]
    if not rest or not test:
        raise DataError(
            f"{data.train}: too few texts to split off data.test_share = {data.test_share} "
            "of them; name a file as data.test"
        )
    return rest, test


def _counting(
    texts: Iterable[Labelled], data: ClassifyData, path: Path | None = None
) -> list[Labelled]:
    """The texts with their classes, without those that have an empty one."""
    found = [_with_classes(text, data.classes) for text in texts]
    kept = [text for text in found if text.labels or data.multi_label]
    if not kept:
        raise DataError(f"{path or data.train}: data.classes leaves every text out")
    return kept


def _with_classes(text: Labelled, classes: dict[str, str]) -> Labelled:
    if not classes:
        return text
    named = (classes.get(label, label) for label in text.labels)
    return Labelled(text.text, tuple(dict.fromkeys(name for name in named if name)))


def _key(whole: Whole) -> str:
    return whole[0].text
