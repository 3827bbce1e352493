"""What `describe` answers: a caption, and where each of its words looked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cellwise.tasks.base import Answer


@dataclass(frozen=True)
class Looked:
    """Where each symbol of a caption looked.

    Attributes:
        symbols: the caption's symbols.
        weights: `[symbols, rows, columns]`, how much each looked at each region; sums of 1.
        picture: reads the image, uint8 `[size, size, 3]`; given the size.
    """

    symbols: tuple[str, ...]
    weights: NDArray[np.float32]
    picture: Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True)
class CaptionAnswer(Answer):
    """A caption; `looked` where `decoding.attention` asks for it and regions form a grid."""

    looked: Looked | None = None


BLANK = CaptionAnswer("", {"image": "", "caption": "", "symbols": [], "log_probability": None})
"""The answer to a blank line."""


def attention_record(
    symbols: Sequence[str], weights: Tensor, grid: tuple[int, int] | None
) -> dict[str, Any]:
    """Attention as JSON values: for each symbol a row of weights of all regions, row by row."""
    rows = [[round(share, 6) for share in row] for row in weights.tolist()]
    return {
        "target": list(symbols),
        "grid": None if grid is None else list(grid),
        "weights": rows,
    }
