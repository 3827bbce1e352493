"""Scheduled sampling: in training a decoder reads, more and more often, what it wrote itself."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Growth = Literal["linear", "inverse_sigmoid"]


class ScheduledSampling(nn.Module):
    """Decides which symbols a decoder reads in training: the right ones, or its own.

    It counts the batches of training, in a buffer, so that a run that goes on does so at the same
    probability. Symbols of its own are drawn from what the decoder says, without gradient.

    Args:
        probability: of an own symbol in the end; 0 at the start.
        growth: `linear`: in proportion to the batches; `inverse_sigmoid`: 1 - k / (k + exp(i / k))
            of it after i batches, from 1 / (k + 1), which is next to nothing.
        batches: until the end of linear growth; or k.

    Source: Bengio et al. 2015 (arXiv:1506.03099), section 2.4; their ε is 1 less our probability.
    """

    def __init__(self, probability: float, growth: Growth, batches: int):
        super().__init__()
        self.probability, self.growth, self.batches = probability, growth, batches
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def next_rate(self) -> float:
        """The probability of an own symbol in the batch that begins; counts it in training."""
        if not self.training:
            return 0.0
        rate = self.rate(int(self.seen))
        self.seen += 1
        return rate

    def rate(self, seen: int) -> float:
        """The probability of an own symbol after so many batches.

        Example:
            >>> sampling = ScheduledSampling(0.5, "linear", 100)
            >>> [sampling.rate(n) for n in (0, 50, 100, 200)]
            [0.0, 0.25, 0.5, 0.5]
        """
        if self.growth == "linear":
            return self.probability * min(1.0, seen / self.batches)
        power = min(seen / self.batches, 500.0)  # exp would overflow; the share is 1 by then
        return self.probability * (1 - self.batches / (self.batches + math.exp(power)))


def mixed(right: Tensor, logits: Tensor, own: Tensor) -> Tensor:
    """The symbols to read, int64 `[B]`: right ones, and where `own` `[B]` is True, drawn ones.

    Args:
        right: int64 `[B]`.
        logits: `[n, V]`, of the rows where `own` is True.
        own: bool `[B]`.
    """
    drawn = torch.multinomial(torch.softmax(logits, dim=-1), 1).squeeze(-1)
    return right.masked_scatter(own, drawn)
