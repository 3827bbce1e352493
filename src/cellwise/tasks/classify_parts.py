"""The parts of `classify`'s data: read, their labels made classes, phrases of trees taken out."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

from cellwise.data.labelled import Labelled, map_labelled, phrases, read_labelled
from cellwise.data.lines import fraction
from cellwise.data.trees import read_trees
from cellwise.errors import ConfigError, DataError
from cellwise.tasks.base import Part
from cellwise.tasks.classify_config import ClassifyData
from cellwise.tasks.parts import Parts, files_of, only_file_of, read_parts

Whole = tuple[Labelled, ...]
"""A text, and behind it the phrases within that are learnt, too."""


def read_texts(path: Path, data: ClassifyData) -> list[Labelled]:
    """The texts of a file, without those that `data.classes` leaves out.

    Raises:
        DataError: the file cannot be read, or it holds no text that counts.
    """
    return _counting(_read(path, data), data, path)


def _read(path: Path, data: ClassifyData) -> list[Labelled]:
    if path == Path(ClassifyData().train) and not path.exists():
        raise DataError(
            f"there is no {path} here. Say where labelled texts are: columns separated by tabs, "
            "whose names 'text' and 'label' stand in the first line, or another data.format:\n"
            "  --set data.train=FILE --set data.dev=FILE --set data.test=FILE"
        )
    return read_labelled(path, data.layout())


def read_all_parts(data: ClassifyData) -> Parts[Sequence[Labelled]]:
    """The texts of each part; of trees, the training part may hold every phrase, each once.

    Where no file is named, shares of train become dev and test: the texts with the lowest hashes,
    and those with the highest ones.

    Raises:
        DataError: when a part is asked for: a file cannot be read, or train is too small to be
            split.
        ConfigError: training texts are to stay in their file, but some of them not to count.
    """
    if not data.in_memory:
        return _parts_with_mapped_train(data)

    def read(path: Path) -> list[Whole]:
        if data.format == "trees" and data.phrases:
            return [tuple(phrases(tree)) for tree in read_trees(path)]
        return [(text,) for text in _read(path, data)]

    found = read_parts(data, read, key=_key, what="texts")
    cut = functools.cache(lambda: _without_test(found["train"], data))

    def make(part: Part) -> Sequence[Labelled]:
        share = data.test_share and not data.test
        if part == "train":
            learnt = (text for whole in (cut()[0] if share else found[part]) for text in whole)
            # A phrase comes in many trees; a text that comes twice counts twice.
            once = data.format == "trees" and data.phrases
            return _counting(dict.fromkeys(learnt) if once else learnt, data, data.train)
        if part == "dev":
            return _counting((whole[0] for whole in found[part]), data, data.dev or data.train)
        test = cut()[1] if share else found[part]
        source = data.test or data.train
        return _counting((whole[0] for whole in test), data, source) if test else []

    return Parts(make)


def _parts_with_mapped_train(data: ClassifyData) -> Parts[Sequence[Labelled]]:
    """The parts, with training texts that stay in their file."""
    utf8 = codecs.lookup(data.encoding).name == "utf-8"
    if not data.dev or data.test_share or not utf8 or not all(data.classes.values()):
        raise ConfigError(
            "data.in_memory = false leaves training texts in their file: name data.dev, and leave "
            "data.test_share at 0, data.encoding at 'utf-8', and no text out by data.classes"
        )

    def change(text: Labelled) -> Labelled:
        return _with_classes(text, data.classes)

    def make(part: Part) -> Sequence[Labelled]:
        if part == "train":
            return map_labelled(only_file_of(data.train), data.layout(), change=change)
        name = data.dev if part == "dev" else data.test
        return [text for path in files_of(name) for text in read_texts(path, data)] if name else []

    return Parts(make)


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


def _counting(texts: Iterable[Labelled], data: ClassifyData, source: str | Path) -> list[Labelled]:
    """The texts with their classes, without those that have an empty one."""
    found = [_with_classes(text, data.classes) for text in texts]
    kept = [text for text in found if text.labels or data.multi_label]
    if not kept:
        raise DataError(f"{source}: data.classes leaves every text out")
    return kept


def _with_classes(text: Labelled, classes: dict[str, str]) -> Labelled:
    if not classes:
        return text
    named = (classes.get(label, label) for label in text.labels)
    return Labelled(text.text, tuple(dict.fromkeys(name for name in named if name)))


def _key(whole: Whole) -> str:
    return whole[0].text
