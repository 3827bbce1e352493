"""A joint n-gram model of letters and phonemes on the words of `pronounce`: Phonetisaurus.

It aligns letters and phonemes, and then counts sequences of aligned pieces, here of 8 (Novak et al.
2016). `pip install phonetisaurus` brings its programs along, for Linux; nothing else here needs it.
"""

from __future__ import annotations

import importlib
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellwise.data.symbols import Symbols
from cellwise.errors import BackendError
from cellwise.tasks.pair_task import PairTask
from cellwise.tasks.pairs import Pair
from cellwise.tasks.transduce_scores import scores_of
from cellwise.training.config import load_config

NAME = "Phonetisaurus"


def imported() -> Any:
    """Phonetisaurus.

    Raises:
        BackendError: it is not installed.
    """
    try:
        return importlib.import_module("phonetisaurus")
    except ImportError as error:
        raise BackendError(
            "Phonetisaurus is not installed; run: pip install phonetisaurus"
        ) from error


def judged(overrides: Sequence[str], folder: Path) -> tuple[float, dict[str, float]]:
    """Train on the training pairs of `pronounce`; the seconds, and the metrics on its test part.

    Raises:
        BackendError: Phonetisaurus is not installed, or one of its programs fails.
    """
    program = imported()
    task = load_config("pronounce", overrides).make_task()
    assert isinstance(task, PairTask)
    lexicon: dict[str, list[list[str]]] = defaultdict(list)
    for pair in task.read("train"):
        lexicon[pair.source] += [text.split() for text in pair.targets]
    test = task.read("test")
    model = (folder / "joint.fst").resolve()
    try:
        start = time.perf_counter()
        program.train(lexicon, model)
        seconds = time.perf_counter() - start
        answers = _answers(program, test, model)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BackendError(f"{NAME} does not work here: {error}") from error
    return seconds, dict(scores_of(answers, test, Symbols("words")).metrics)


def _answers(program: Any, pairs: Sequence[Pair], model: Path) -> list[tuple[str, ...]]:
    """The best phonemes of each word; none for a word of which it has no answer."""
    best: dict[str, tuple[str, ...]] = {}
    for word, phonemes in program.predict([pair.source for pair in pairs], model):
        best.setdefault(word, tuple(phonemes))
    return [best.get(pair.source, ()) for pair in pairs]
