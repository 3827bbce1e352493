"""The metrics of translated texts: BLEU and chrF as sacrebleu computes them, with signatures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from cellwise.errors import DataError

Score = tuple[float, str]
"""A score from 0 to 100, and the signature that tells how it was computed."""


def corpus_bleu(found: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """Corpus BLEU of texts as they are, tokenised by sacrebleu's rules "13a".

    Args:
        found: a text each.
        references: the right texts of each, one or more.

    Raises:
        DataError: the package sacrebleu is not installed.

    Source: Papineni et al. 2002, as Post 2018 (arXiv:1804.08771) computes it.
    """
    return _scored(_sacrebleu().metrics.BLEU(tokenize="13a", force=True), found, references)


def corpus_chrf(found: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    """Corpus chrF2, the F score of character n-grams up to six, recall counting twice.

    The arguments are those of `corpus_bleu`.

    Source: Popović 2015 (chrF), as sacrebleu computes it.
    """
    return _scored(_sacrebleu().metrics.CHRF(), found, references)


def _scored(metric: Any, found: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
    columns = [list(column) for column in zip_longest(*references)]
    score = metric.corpus_score(list(found), columns).score
    return float(score), str(metric.get_signature())


def _sacrebleu() -> Any:
    try:
        import sacrebleu
    except ImportError as error:
        raise DataError("BLEU needs the package sacrebleu; run: pip install sacrebleu") from error
    return sacrebleu
