"""Global attention: a mean of what an encoder saw, weighted by what a decoder looks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Memory:
    """What attention reads: encoder outputs, their keys, and where they are padding.

    Shapes: values `[B, S, M]`, keys `[B, S, K]`, padding `[B, S]` (True at padding).
    """

    values: Tensor
    keys: Tensor
    padding: Tensor

    def repeat(self, times: int) -> Memory:
        """Each row `times` times, one after the other: a row for each hypothesis of a beam."""
        return Memory(
            self.values.repeat_interleave(times, dim=0),
            self.keys.repeat_interleave(times, dim=0),
            self.padding.repeat_interleave(times, dim=0),
        )


class Attention(nn.Module):
    """Attention of a query at every step over a memory, all steps at once.

    `multiplicative`: score(q, v) = qᵀ W v. `additive`: score(q, v) = aᵀ tanh(U q + W v).

    Source: Luong et al. 2015 (arXiv:1508.04025), equation 8 ("general"); Bahdanau et al. 2015
    (arXiv:1409.0473), appendix A.1.2. The decoder's output of the same step is the query in both.
    """

    def __init__(
        self, query_size: int, value_size: int, kind: Literal["multiplicative", "additive"]
    ):
        super().__init__()
        self.kind = kind
        self.key = nn.Linear(value_size, query_size, bias=False)
        if kind == "additive":
            self.query = nn.Linear(query_size, query_size)
            self.score = nn.Linear(query_size, 1, bias=False)

    def remember(self, values: Tensor, lengths: Tensor) -> Memory:
        """The memory of encoder outputs `[S, B, M]`, of which `lengths` `[B]` steps are real."""
        steps = torch.arange(len(values), device=values.device)
        rows = values.transpose(0, 1)
        return Memory(rows, self.key(rows), steps >= lengths.to(values.device)[:, None])

    def forward(self, queries: Tensor, memory: Memory) -> Tensor:
        """The contexts of queries: `[T, B, Q]` to `[T, B, M]`."""
        return (self.weights(queries, memory) @ memory.values).transpose(0, 1)

    def weights(self, queries: Tensor, memory: Memory) -> Tensor:
        """How much each query reads of each place: `[B, T, S]`, every row sums to 1."""
        scores = self._scores(queries.transpose(0, 1), memory)
        return torch.softmax(scores.masked_fill(memory.padding[:, None, :], -torch.inf), dim=-1)

    def _scores(self, queries: Tensor, memory: Memory) -> Tensor:
        if self.kind == "multiplicative":
            return queries @ memory.keys.transpose(1, 2)
        features = torch.tanh(self.query(queries)[:, :, None] + memory.keys[:, None])
        scores: Tensor = self.score(features).squeeze(-1)
        return scores
