"""The parts of `classify`'s data: read, their labels made classes, phrases of trees taken out."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cellwise.data.labelled import LABELLED, Labelled, phrases, read_labelled
from cellwise.data.lines import at_least_one, fraction
from cellwise.data.spooled import Form, held
from cellwise.data.trees import read_trees
from cellwise.errors import DataError
from cellwise.tasks.base import Part, Passing, unshown
from cellwise.tasks.classify_config import ClassifyData
from cellwise.tasks.parts import Parts, read_parts

Whole = tuple[Labelled, ...]
"""A text, and behind it the phrases within that are learnt, too."""

WHOLE: Form[Whole] = Form(
    lambda whole: [LABELLED.write(text) for text in whole],
    lambda found: tuple(LABELLED.read(text) for text in found),
)
"""A text and its phrases as JSON values."""


def read_texts(path: Path, data: ClassifyData) -> list[Labelled]:
    """The texts of a file, without those that `data.classes` leaves out.

    Raises:
        DataError: the file cannot be read, or it holds no text that counts.
    """
    return list(_counting(_read(path, data), data, path))


def _read(path: Path, data: ClassifyData) -> Iterator[Labelled]:
    if path == Path(ClassifyData().train) and not path.exists():
        raise DataError(
            f"there is no {path} here. Say where labelled texts are: columns separated by tabs, "
            "whose names 'text' and 'label' stand in the first line, or another data.format:\n"
            "  --set data.train=FILE --set data.dev=FILE --set data.test=FILE"
        )
    return read_labelled(path, data.layout())


def read_all_parts(data: ClassifyData, passing: Passing = unshown) -> Parts[Sequence[Labelled]]:
    """The texts of each part; of trees, the training part may hold every phrase, each once.

    Where no file is named, shares of train become dev and test: the texts with the lowest hashes,
    and those with the highest ones.

    Args:
        data: names the files.
        passing: gives the items of a pass over training files, and may show how far it is.

    Raises:
        DataError: when a part is asked for: a file cannot be read, or train is too small to be
            split.
    """
    with_phrases = data.format == "trees" and data.phrases

    def read(path: Path) -> Iterator[Whole]:
        if with_phrases:
            return (tuple(phrases(tree)) for tree in read_trees(path))
        return ((text,) for text in _read(path, data))

    found = read_parts(data, read, key=_key, what="texts", form=WHOLE, passing=passing)
    cut = functools.cache(lambda: _without_test(found["train"], data))

    def make(part: Part) -> Sequence[Labelled]:
        share = data.test_share and not data.test
        if part == "train":
            learnt = (text for whole in (cut()[0] if share else found[part]) for text in whole)
            # A phrase comes in many trees; a text that comes twice counts twice.
            counting = _counting(_once(learnt) if with_phrases else learnt, data, data.train)
            return held(counting, LABELLED, in_memory=data.in_memory)
        if part == "dev":
            source = data.dev or data.train
            return list(_counting((whole[0] for whole in found[part]), data, source))
        test = cut()[1] if share else found[part]
        source = data.test or data.train
        return list(_counting((whole[0] for whole in test), data, source)) if test else []

    return Parts(make)


def _without_test(
    train: Sequence[Whole], data: ClassifyData
) -> tuple[Sequence[Whole], list[Whole]]:
    """The training texts without a share of them, and that share."""
    bound = 1 - data.test_share
    learnt = (whole for whole in train if fraction(_key(whole)) < bound)
    rest = held(learnt, WHOLE, in_memory=data.in_memory)
    test = [whole for whole in train if fraction(_key(whole)) >= bound]
    if not rest or not test:
        raise DataError(
            f"{data.train}: too few texts to split off data.test_share = {data.test_share} "
            "of them; name a file as data.test"
        )
    return rest, test


def _once(texts: Iterable[Labelled]) -> Iterator[Labelled]:
    """Each text the first time that it comes with its labels."""
    seen = set[bytes]()
    for text in texts:
        known = hashlib.sha256(f"{text!r}".encode("utf-8", "surrogatepass")).digest()[:16]
        if known not in seen:
            seen.add(known)
            yield text


def _counting(
    texts: Iterable[Labelled], data: ClassifyData, source: str | Path
) -> Iterator[Labelled]:
    """The texts with their classes, without those that have an empty one."""
    found = (_with_classes(text, data.classes) for text in texts)
    kept = (text for text in found if text.labels or data.multi_label)
    return at_least_one(kept, f"{source}: data.classes leaves every text out")


def _with_classes(text: Labelled, classes: dict[str, str]) -> Labelled:
    if not classes:
        return text
    named = (classes.get(label, label) for label in text.labels)
    return Labelled(text.text, tuple(dict.fromkeys(name for name in named if name)))


def _key(whole: Whole) -> str:
    return whole[0].text
