"""Rows that change places: a look-up forth, and another one back for the gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cellwise.structures.plain import is_plain, is_transformed


def taken(rows: Tensor, index: Tensor) -> Tensor:
    """rows[index], as a look-up in a table: torch sums the gradient of that row by row.

    The gradient of indexing is summed number by number, on one thread.
    """
    return nn.functional.embedding(index, rows) if rows.dim() == 2 else rows[index]


def moved(rows: Tensor, index: Tensor, back: Tensor) -> Tensor:
    """rows[index], and zeros where the index is `len(rows)`, which some are if there are more.

    Args:
        rows: [N, ·].
        index: int64 [M]; no two are the same, but for those of zeros.
        back: int64 [N], where each row goes, or M: what `index` is to the gradient.
    """
    if not is_plain([rows]) or is_transformed([rows]):
        return taken(_with_zeros(rows, index), index)
    if torch.is_grad_enabled() and rows.requires_grad:
        return _Moved.apply(rows, index, back)  # type: ignore[no-any-return, no-untyped-call]
    return _with_zeros(rows, index).index_select(0, index)


def _with_zeros(rows: Tensor, index: Tensor) -> Tensor:
    """The rows, and one of zeros behind them where the index may ask for it."""
    if index.shape[0] <= rows.shape[0]:
        return rows
    return torch.cat([rows, rows.new_zeros(1, *rows.shape[1:])])


class _Moved(torch.autograd.Function):
    """As `moved`: the gradient's rows are taken from where they went, and none are summed."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, back: Tensor) -> Tensor:
        """The rows at their new places."""
        ctx.save_for_backward(index, back)
        return _with_zeros(rows, index).index_select(0, index)

    @staticmethod
    def backward(ctx: Any, d_rows: Tensor) -> tuple[Tensor, None, None]:
        """The gradient at the old places."""
        index, back = ctx.saved_tensors
        return moved(d_rows, back, index), None, None
