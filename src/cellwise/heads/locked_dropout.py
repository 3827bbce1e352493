"""Dropout whose mask is drawn once for a sequence."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LockedDropout(nn.Module):
    """Dropout with the same mask at every step of a sequence.

    Each row of the batch has a mask of its own.

    Source: Gal and Ghahramani 2016, "A theoretically grounded application of dropout in recurrent
    neural networks", on the inputs of the layers (not on the recurrent connections).
    """

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """x: `[T, B, F]`, the same shape out; unchanged in eval mode."""
        if not self.training or self.probability == 0:
            return x
        return x * self.mask(x)

    def mask(self, x: Tensor) -> Tensor:
        """A mask for steps of a sequence like x, `[T, B, F]`: `[1, B, F]`; ones in eval mode."""
        if not self.training or self.probability == 0:
            return torch.ones_like(x[:1])
        keep = 1 - self.probability
        # Comparing uniform numbers takes a third of the time that torch's bernoulli_ does.
        return torch.rand(x[:1].shape, device=x.device).lt_(keep).div_(keep).to(x.dtype)
