"""The colours of classes: red and blue for the poles, grey between, a palette for other classes."""

from __future__ import annotations

from cellwise.tasks.compose_answers import Scale

NEGATIVE = ("#b3241f", "#dd5f48")
"""Of the strongest negative class, and of the others."""

POSITIVE = ("#2258b8", "#3f86cc")
"""Of the strongest positive class, and of the others."""

NEUTRAL = "#808080"
"""Of classes that are no pole, where there are poles, and of nodes without a class."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56a0d3", "#7a5195", "#6b6b6b")
"""Of other classes, in turn: colours that the colour-blind tell apart, after Okabe and Ito 2008."""


def colour(name: str, scale: Scale) -> str:
    """The colour of a class, as `#rrggbb`."""
    if not name:
        return NEUTRAL
    if not scale.has_poles:
        known = sorted(scale.classes)
        return PALETTE[known.index(name) % len(PALETTE)] if name in known else NEUTRAL
    for names, (strongest, other) in (
        (scale.negative, NEGATIVE),
        (scale.positive[::-1], POSITIVE),
    ):
        if name in names:
            return strongest if name == names[0] else other
    return NEUTRAL
