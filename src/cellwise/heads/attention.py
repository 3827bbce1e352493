"""Global attention: a mean of what an encoder saw, weighted by what a decoder looks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

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

    def of(self, rows: Tensor) -> Memory:
        """The memory of some of the rows, int64 `[n]`."""
        values, keys, padding = (
            part.index_select(0, rows) for part in (self.values, self.keys, self.padding)
        )
        return Memory(values, keys, padding)


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

    def remember(self, seen: Tensor, lengths: Tensor, *, values: Tensor | None = None) -> Memory:
        """The memory of encoder outputs, of which `lengths` `[B]` steps are real.

        Args:
            seen: `[S, B, M]`, what the keys are made of.
            lengths: int64 `[B]`.
            values: `[S, B, ·]`, what the contexts are means of, if not of `seen`.
        """
        steps = torch.arange(len(seen), device=seen.device)
        padding = steps >= lengths.to(seen.device)[:, None]
        whole = seen if values is None else values
        return Memory(whole.transpose(0, 1), self.key(seen).transpose(0, 1), padding)

    def forward(self, queries: Tensor, memory: Memory) -> Tensor:
        """The contexts of queries: `[T, B, Q]` to `[T, B, M]`.

        There may be B·K queries a step, of which K, the hypotheses of a beam, share a memory.
        """
        return self.read(queries, memory)[0]

    def read(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """The contexts of queries, as `forward` gives them, and the weights, `[T, B, S]`."""
        n_steps, n_queries, size = queries.shape
        n_rows = len(memory.values)
        shape = n_steps, n_rows, n_queries // max(1, n_rows)
        apart = queries.reshape(*shape, size).transpose(0, 1).flatten(1, 2)
        weights = self.weights(apart, memory)
        contexts, shares = (
            part.unflatten(1, shape[::2]).transpose(0, 1).flatten(1, 2)
            for part in (weights @ memory.values, weights)
        )
        return contexts, shares

    def weights(self, queries: Tensor, memory: Memory) -> Tensor:
        """How much queries `[B, T, Q]` read of each place: `[B, T, S]`, every row sums to 1."""
        scores = self._scores(queries, memory)
        return torch.softmax(scores.masked_fill(memory.padding[:, None, :], -torch.inf), dim=-1)

    def _scores(self, queries: Tensor, memory: Memory) -> Tensor:
        if self.kind == "multiplicative":
            return cast(Tensor, _Products.apply(queries, memory.keys))  # type: ignore[no-untyped-call]
        features = torch.tanh(self.query(queries)[:, :, None] + memory.keys[:, None])
        scores: Tensor = self.score(features).squeeze(-1)
        return scores


class _Products(torch.autograd.Function):
    """Each query times each key, `[B, T, Q]` and `[B, S, Q]` to `[B, T, S]`.

    torch's own derivative makes the keys' gradient as a tall matrix turned on its side, which takes
    four times as long as the flat one.
    """

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor) -> Tensor:
        ctx.save_for_backward(queries, keys)
        return queries @ keys.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, d_scores: Tensor) -> tuple[Tensor, Tensor]:
        queries, keys = (kept.to(d_scores.dtype) for kept in ctx.saved_tensors)  # under autocast
        return d_scores @ keys, d_scores.transpose(1, 2) @ queries
