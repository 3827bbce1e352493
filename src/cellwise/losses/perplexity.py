"""The perplexity of a loss."""

from __future__ import annotations

import math


def perplexity(nats: float) -> float:
    """e to the loss per symbol; infinity where that is too great a number."""
    return math.exp(nats) if nats < 700 else math.inf
