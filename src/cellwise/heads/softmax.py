"""The softmax head: a distribution over symbols at every step."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class Softmax(nn.Module):
    """A linear layer whose outputs are the logits of a distribution.

    Example:
        >>> import torch
        >>> head = Softmax(8, 3)
        >>> head.log_probabilities(torch.zeros(5, 2, 8)).shape
        torch.Size([5, 2, 3])
    """

    def __init__(self, input_size: int, n_symbols: int):
        super().__init__()
        self.linear = nn.Linear(input_size, n_symbols)
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    @property
    def weight(self) -> Tensor:
        """The matrix, `[V, F]`."""
        return self.linear.weight

    @property
    def bias(self) -> Tensor:
        """What is added to every symbol's logit, `[V]`."""
        return self.linear.bias

    def forward(self, features: Tensor) -> Tensor:
        """The logits: `[..., F]` to `[..., V]`."""
        return cast(Tensor, self.linear(features))

    def log_probabilities(self, features: Tensor) -> Tensor:
        """The logarithms of the probabilities: `[..., F]` to `[..., V]`."""
        return torch.log_softmax(self(features), dim=-1)
