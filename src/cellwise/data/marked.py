"""Texts as a decoder reads and writes them: a start mark ahead, an end mark behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cellwise.data.batches import lengths_of, pad
from cellwise.data.vocabulary import END, PAD, START


class Marked(NamedTuple):
    """Texts as tensors, of which `lengths` steps are real.

    Attributes:
        before: int64 `[T, B]`, the texts after a start mark: what a decoder reads.
        after: int64 `[T, B]`, the texts before an end mark: what it is to write.
        lengths: int64 `[B]`, the symbols of each text and its mark.
    """

    before: Tensor
    after: Tensor
    lengths: Tensor

    @property
    def n_symbols(self) -> int:
        """The symbols of all texts, with a mark each."""
        return int(self.lengths.sum())

    def to(self, device: torch.device) -> Marked:
        """The same texts on a device."""
        return Marked(*(tensor.to(device) for tensor in self))


def marked(texts: Sequence[Sequence[int]]) -> Marked:
    """The numbers of texts, with their marks, padded to `[T, B]`.

    Example:
        >>> marked([[7, 8], [9]]).before.tolist(), marked([[7, 8], [9]]).lengths.tolist()
        ([[2, 2], [7, 9], [8, 0]], [3, 2])
    """
    before = [[START, *text] for text in texts]
    after = [[*text, END] for text in texts]
    return Marked(pad(before, PAD), pad(after, PAD), lengths_of(before))
