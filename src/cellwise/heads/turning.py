"""Sequences of a batch turned round, each within its own length."""

from __future__ import annotations

import torch
from torch import Tensor


def turned(columns: Tensor, lengths: Tensor) -> Tensor:
    """The first entries of every column in reverse order, and what follows them as it is.

    Args:
        columns: `[T, B, ...]`.
        lengths: int64 `[B]`, how many entries of each column are turned round.

    Example:
        >>> turned(torch.tensor([[1, 4], [2, 5], [3, 6]]), torch.tensor([3, 2])).T.tolist()
        [[3, 2, 1], [5, 4, 6]]
    """
    n_steps, n_columns = columns.shape[:2]
    places = torch.arange(n_steps, device=columns.device)[:, None]
    mirrored = torch.where(places < lengths, lengths - 1 - places, places)
    return columns[mirrored, torch.arange(n_columns, device=columns.device)]
