"""The metrics of `describe`: BLEU of captions against all that people wrote of an image."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from cellwise.errors import ConfigError

ORDERS = (1, 2, 3, 4)


def caption_scores(
    found: Sequence[str], references: Sequence[Sequence[str]], *, lowercase: bool
) -> dict[str, float]:
    """Corpus BLEU of up to 1, 2, 3 and 4 words, 0 to 100, and the number of distinct captions.

    BLEU-n is the brevity penalty times the geometric mean of the precisions of 1 to n words.
    `bleu` is BLEU-4.

    Args:
        found: a caption for each image.
        references: what people wrote of each image; not all need as many.
        lowercase: whether case does not count.

    Source: Papineni et al. 2002, as Post 2018 (arXiv:1804.08771, sacrebleu) computes it, with the
    tokens of mteval-v13a.
    """
    columns: list[Any] = [list(column) for column in zip_longest(*references)]
    scores = {
        f"bleu_{n}": float(_bleu(n, lowercase=lowercase).corpus_score(found, columns).score)
        for n in ORDERS
    }
    return {"bleu": scores.pop("bleu_4"), **scores, "distinct_captions": float(len(set(found)))}


def signature(references: Sequence[Sequence[str]], *, lowercase: bool) -> str:
    """What says in full how BLEU was computed, as sacrebleu writes it."""
    bleu = _bleu(ORDERS[-1], lowercase=lowercase)
    columns: list[Any] = [list(column) for column in zip_longest(*references)]
    bleu.corpus_score(["" for _ in references], columns)
    return str(bleu.get_signature())


def _bleu(order: int, *, lowercase: bool) -> Any:
    if importlib.util.find_spec("sacrebleu") is None:
        raise ConfigError("BLEU needs the library sacrebleu: pip install 'cellwise[train]'")
    from sacrebleu import BLEU

    # `force`: captions come with a blank before the full stop; that is no mistake here.
    return BLEU(lowercase=lowercase, max_ngram_order=order, tokenize="13a", force=True)
