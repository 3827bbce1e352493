"""The metrics of `transduce`: error rates and BLEU against several references."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from cellwise.errors import DataError

Symbols = Sequence[str]


def edit_distance(found: Symbols, right: Symbols) -> int:
    """The fewest insertions, deletions and substitutions that turn one sequence into the other.

    Source: Levenshtein 1966; computed row by row (Wagner and Fischer 1974).
    """
    above = list(range(len(right) + 1))
    for i, symbol in enumerate(found, start=1):
        row = [i]
        for j, other in enumerate(right, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (symbol != other)))
        above = row
    return above[-1]


def token_error_rate(found: Sequence[Symbols], references: Sequence[Sequence[Symbols]]) -> float:
    """All edits to the nearest references, over the summed lengths of those references.

    The nearest is the one with the fewest edits; of several, the first. Phoneme error rate in
    `pronounce`.
    """
    edits = symbols = 0
    for symbols_found, rights in zip(found, references, strict=True):
        distance, _, nearest = min(
            (edit_distance(symbols_found, right), i, right) for i, right in enumerate(rights)
        )
        edits += distance
        symbols += len(nearest)
    return edits / symbols


def sequence_error_rate(found: Sequence[Symbols], references: Sequence[Sequence[Symbols]]) -> float:
    """The share of answers that equal no reference. Word error rate in `pronounce`."""
    wrong = sum(
        not any(list(symbols) == list(right) for right in rights)
        for symbols, rights in zip(found, references, strict=True)
    )
    return wrong / len(found)


def bleu(found: Sequence[Symbols], references: Sequence[Sequence[Symbols]]) -> float:
    """Corpus BLEU, 0 to 100, of sequences of symbols as they are, with no further tokenisation.

    Raises:
        DataError: the package sacrebleu is not installed.

    Source: Papineni et al. 2002, as Post 2018 (arXiv:1804.08771, sacrebleu) computes it.
    """
    try:
        from sacrebleu import corpus_bleu
    except ImportError as error:
        raise DataError("BLEU needs the package sacrebleu; run: pip install sacrebleu") from error
    columns: list[Any] = [  # sacrebleu's types do not say that a reference may be missing
        [None if right is None else _line(right) for right in column]
        for column in zip_longest(*references)
    ]
    return float(corpus_bleu([_line(s) for s in found], columns, tokenize="none", force=True).score)


def _line(symbols: Symbols) -> str:
    """One string whose blanks separate the symbols; a blank that is a symbol shows as `▁`."""
    return " ".join("▁" if symbol.isspace() else symbol for symbol in symbols)
