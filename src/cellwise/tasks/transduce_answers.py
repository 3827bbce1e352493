"""What `transduce` says of a source: its answer, others beside it, and where it looked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cellwise.data.vocabulary import END, SPECIALS
from cellwise.heads.search import Found


@dataclass(frozen=True)
class Told:
    """What a search found for a source, the best first, and the attention of the best.

    `weights`, `[T, S]`: for each symbol written, the end included, how much of each place was read;
    rows and columns beyond are padding.
    """

    found: list[Found]
    weights: Tensor | None = None


NOTHING = Told([Found([], math.nan)])
"""What is told of a blank line, for which nothing is searched."""


def attention_record(source: Sequence[str], target: Sequence[str], told: Told) -> dict[str, Any]:
    """The weights of attention as JSON values.

    Returns:
        `weights`: a row for each symbol of `target`, whose last is the end, and in it a number for
        each symbol of `source`.
    """
    if told.weights is None:
        return {"source": list(source), "target": list(target), "weights": []}
    written = [*target, SPECIALS[END]]
    weights = told.weights[: len(written), : len(source)].tolist()
    return {
        "source": list(source),
        "target": written,
        "weights": [[round(share, 6) for share in row] for row in weights],
    }


def without_source(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record but for the source, which several answers share."""
    return {key: value for key, value in record.items() if key != "source"}
