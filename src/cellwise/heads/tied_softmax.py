"""The softmax head whose matrix is an embedding's."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TiedSoftmax(nn.Module):
    """Logits from an embedding's own vectors: one matrix reads symbols and writes them.

    The embedding is not a part of this module; its vectors are drawn anew, short enough for logits.

    Source: Press and Wolf 2017 (arXiv:1608.05859).

    Example:
        >>> import torch
        >>> head = TiedSoftmax(nn.Embedding(3, 8))
        >>> head(torch.zeros(5, 2, 8)).shape
        torch.Size([5, 2, 3])
    """

    def __init__(self, embedding: nn.Embedding):
        super().__init__()
        self._embedding = (embedding,)  # in a tuple, so that its weights are saved once
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))
        nn.init.normal_(embedding.weight, std=embedding.embedding_dim**-0.5)
        if embedding.padding_idx is not None:
            nn.init.zeros_(embedding.weight[embedding.padding_idx].detach())

    @property
    def weight(self) -> Tensor:
        """The matrix, `[V, F]`."""
        return self._embedding[0].weight

    def forward(self, features: Tensor) -> Tensor:
        """The logits: `[..., F]` to `[..., V]`."""
        return nn.functional.linear(features, self.weight, self.bias)
