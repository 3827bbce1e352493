"""The levels of a ragged batch whose lengths are known: a few operations of numpy, and kept.

`batch.ragged_levels` does the same with operations of torch, which a trace can follow, and which
take longer than the fold of a small batch.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cellwise.structures.batch import Levels


@lru_cache(maxsize=4)
def known_levels(lengths: tuple[int, ...], n_steps: int) -> Levels:
    """The levels of sequences of these lengths, sorted by falling length; nobody changes them.

    They are kept because layers on top of each other see the same batch. There are no rows but the
    live ones.
    """
    counts, n_sequences = np.array(lengths, dtype=np.int64), len(lengths)
    ended = np.cumsum(np.bincount(counts, minlength=n_steps + 1))
    sizes = n_sequences - ended[:n_steps]
    order = np.argsort(-counts, kind="stable")
    offsets = np.cumsum(sizes) - sizes
    level = np.repeat(np.arange(n_steps), sizes)
    rows = np.arange(len(level))
    place = rows - offsets[level]
    source = level * n_sequences + order[place]
    where = np.full(n_steps * n_sequences, len(rows))
    where[source] = rows
    with torch.inference_mode(mode=False):
        return Levels(
            _tensor(sizes),
            n_sequences,
            len(rows),
            _tensor(order),
            even=False,
            offsets=_tensor(offsets),
            level=_tensor(level),
            place=_tensor(place),
            live=torch.ones(len(rows), dtype=torch.bool),
            rank=_tensor(np.argsort(order)),
            source=_tensor(source),
            where=_tensor(where),
        )


def _tensor(numbers: npt.NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(numbers)
