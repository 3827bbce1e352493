"""Attention that knows what it read before, so that it neither repeats itself nor leaves out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cellwise.heads.attention import Attention, Memory


class CoverageAttention(Attention):
    """Additive attention with a coverage vector: what each place got at all steps before.

    score(q, v, c) = aᵀ tanh(U q + W v + w c). A step's scores need the weights of the steps before,
    so the steps are taken one after the other.

    Source: See et al. 2017 (arXiv:1704.04368), equations 10 to 12; the idea is of Tu et al. 2016
    (arXiv:1601.04811), whose coverage is larger.
    """

    def __init__(self, query_size: int, value_size: int):
        super().__init__(query_size, value_size, "additive")
        self.covered = nn.Linear(1, query_size, bias=False)

    def read_anew(self, queries: Tensor, memory: Memory, coverage: Tensor) -> tuple[Tensor, Tensor]:
        """The contexts of queries, `[T, N, M]`, and the weights, `[T, N, S]`.

        Args:
            queries: `[T, N, Q]`; N is B, or B·K for K hypotheses that share a memory.
            memory: of B rows.
            coverage: `[N, S]`, what each place got before.
        """
        n_rows = len(memory.values)
        seen = coverage.unflatten(0, (n_rows, -1))
        weights = []
        for query in queries.unflatten(1, (n_rows, -1)):
            weights.append(self._weights(query, memory, seen))
            seen = seen + weights[-1]
        found = torch.stack(weights)
        return (found @ memory.values).flatten(1, 2), found.flatten(1, 2)

    def _weights(self, query: Tensor, memory: Memory, seen: Tensor) -> Tensor:
        """query `[B, K, Q]` and seen `[B, K, S]` to `[B, K, S]`."""
        places = memory.keys[:, None] + self.covered(seen[..., None])
        features = torch.tanh(self.query(query)[:, :, None] + places)
        scores = self.score(features).squeeze(-1)
        return torch.softmax(scores.masked_fill(memory.padding[:, None], -torch.inf), dim=-1)


def read_again(weights: Tensor) -> Tensor:
    """The coverage loss of each step: how much it read of what was read before.

    The sum over places of the smaller one of weight and coverage: `[T, B, S]` to `[T, B]`.

    Example:
        >>> read_again(torch.tensor([[[1.0, 0.0]], [[0.25, 0.75]], [[0.5, 0.5]]])).flatten()
        tensor([0.0000, 0.2500, 1.0000])
    """
    before = weights.cumsum(0) - weights
    return torch.minimum(weights, before).sum(-1)
