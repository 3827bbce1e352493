"""How right the answers of `transduce` are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cellwise.data.symbols import Symbols
from cellwise.tasks.base import Report
from cellwise.tasks.error_rates import bleu, sequence_error_rate, token_error_rate
from cellwise.tasks.pairs import Pair
from cellwise.tasks.translation_scores import corpus_bleu, corpus_chrf

Cut = tuple[str, ...]
"""The symbols of a text."""


def scores_of(answers: Sequence[Cut], pairs: Sequence[Pair], symbols: Symbols) -> Report:
    """Error rates in symbols, BLEU, and chrF; with the signatures of the last two.

    Where symbols are characters, BLEU counts them, and chrF would say the same; else both compare
    texts, so that they do not depend on what the symbols are.

    Args:
        answers: the symbols of each answer.
        pairs: what they are answers to.
        symbols: those of the targets.
    """
    references = [[symbols.cut(text) for text in pair.targets] for pair in pairs]
    metrics = {
        "token_error_rate": token_error_rate(answers, references),
        "sequence_error_rate": sequence_error_rate(answers, references),
    }
    if symbols.unit == "characters":
        return Report({**metrics, "bleu": bleu(answers, references)})
    texts, right = [symbols.join(answer) for answer in answers], [pair.targets for pair in pairs]
    metrics["bleu"], bleu_signature = corpus_bleu(texts, right)
    metrics["chrf"], chrf_signature = corpus_chrf(texts, right)
    return Report(metrics, {"bleu_signature": bleu_signature, "chrf_signature": chrf_signature})


def goal_of(metric: str) -> Literal["min", "max"]:
    """Whether a metric is to be small or large."""
    return "max" if metric in ("bleu", "chrf") else "min"
