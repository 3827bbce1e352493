"""Pooling: one vector for a sequence, of the outputs at all its steps."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from cellwise.heads.outputs import last_outputs

PoolingKind = Literal["last", "mean", "max", "attention"]


class Pooling(nn.Module):
    """Makes a vector of the outputs of a recurrent layer at all steps.

    `last`: what each direction says having read all. `mean`, `max`: of every feature over the
    steps. `attention`: a mean whose weights are softmax(v · tanh(W h[t] + b)), learnt along. Of a
    sequence without steps the vector is zeros.

    Source: Lin et al. 2017 (arXiv:1703.03130), equations 5 and 6; Yang et al. 2016, Hierarchical
    attention networks for document classification, equations 5 to 7, whose bias we keep.

    Args:
        size: F, the size of the outputs.
        kind: how they become one vector.
        bidirectional: for `last`: whether the second half of F is read from the end.
        attention_size: the rows of W; 0: as many as F.

    Example:
        >>> import torch
        >>> pooling = Pooling(8, "attention")
        >>> pooling(torch.randn(5, 2, 8), torch.tensor([5, 3])).shape
        torch.Size([2, 8])
    """

    def __init__(
        self, size: int, kind: PoolingKind, *, bidirectional: bool = False, attention_size: int = 0
    ):
        super().__init__()
        self.kind, self.bidirectional = kind, bidirectional
        if kind == "attention":
            self.features = nn.Linear(size, attention_size or size)
            self.score = nn.Linear(attention_size or size, 1, bias=False)

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """From outputs `[T, B, F]`, zeros where a sequence is over, and lengths `[B]` to `[B, F]`.

        At least one step is needed.
        """
        if self.kind == "last":
            return last_outputs(outputs, lengths, bidirectional=self.bidirectional)
        if self.kind == "mean":
            return outputs.sum(dim=0) / lengths.clamp(min=1)[:, None].to(outputs)
        if self.kind == "max":
            return _maxima(outputs, lengths)
        return _weighted(outputs, self.weights(outputs, lengths))

    def weights(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """How much attention reads of each step: `[T, B]`, every column sums to 1."""
        scores = self.score(torch.tanh(self.features(outputs))).squeeze(-1)
        # Not -inf, of which alone softmax would make NaN: a sequence without steps has zeros here.
        lowest = torch.finfo(scores.dtype).min
        return torch.softmax(scores.masked_fill(_over(outputs, lengths), lowest), dim=0)


def _weighted(outputs: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("tbf,tb->bf", outputs, weights)


def _maxima(outputs: Tensor, lengths: Tensor) -> Tensor:
    over = _over(outputs, lengths) & (lengths > 0)
    return outputs.masked_fill(over[..., None], -torch.inf).amax(dim=0)


def _over(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Where sequences are over, `[T, B]`."""
    return torch.arange(len(outputs), device=outputs.device)[:, None] >= lengths
