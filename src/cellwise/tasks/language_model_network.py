"""The model of `language_model`: which symbol comes next, after all that were read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from cellwise.errors import ConfigError
from cellwise.heads.adaptive_softmax import AdaptiveSoftmax
from cellwise.heads.locked_dropout import LockedDropout
from cellwise.heads.outputs import sizes_of
from cellwise.heads.sampled_softmax import sampled_cross_entropy
from cellwise.heads.softmax import Softmax
from cellwise.heads.tied_softmax import TiedSoftmax
from cellwise.layers import Recurrent
from cellwise.losses.output_cross_entropy import Output, output_cross_entropy
from cellwise.tasks.language_model_config import LanguageModelModel
from cellwise.tasks.word_hiding import hide, hiding
from cellwise.tasks.word_vectors import WordVectors

State = Sequence[Tensor] | None
"""What the layers carry from window to window; each `[layers, B, ·]`; None: nothing was read."""


ROWS = 1024
"""Rows of log probabilities that are held at a time."""


class LanguageModel(nn.Module):
    """Vectors of symbols, recurrent layers, and a softmax over the symbol that comes next.

    Source: Mikolov et al. 2010; Zaremba et al. 2014 (arXiv:1409.2329) for layers and dropout, with
    masks that stay for a window as in Gal and Ghahramani 2016 (arXiv:1512.05287); dropout of whole
    symbols as in section 4.3 of Merity et al. 2017 (arXiv:1708.02182); tied weights after Press and
    Wolf 2017 (arXiv:1608.05859), with a linear layer between where the sizes differ.
    """

    def __init__(self, config: LanguageModelModel, words: WordVectors):
        super().__init__()
        self.config = config
        size = words.size or config.hidden_size
        self.embedding = nn.Embedding(len(words.words), size)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.hiding: Tensor
        self.register_buffer("hiding", hiding(words.words, config.word_dropout), persistent=False)
        self.dropout = LockedDropout(config.dropout)
        self.layers = Recurrent(
            config.cell,
            size,
            config.hidden_size,
            num_layers=config.num_layers,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
            zoneout=config.zoneout,
            weight_dropout=config.weight_dropout,
        )
        read = sizes_of(self.layers, size)[0]
        bridged = config.tie_weights and read != size
        self.bridge = nn.Linear(read, size) if bridged else nn.Identity()
        self.head = self._head(size if bridged else read)
        words.put_into(self.embedding)
        self.embedding.weight.requires_grad_(config.tune_vectors)

    def _head(self, read: int) -> Softmax | TiedSoftmax | AdaptiveSoftmax:
        n_symbols, config = self.embedding.num_embeddings, self.config
        if config.softmax == "adaptive":
            if config.tie_weights:
                raise ConfigError(
                    "model.tie_weights: the adaptive softmax has vectors of its own; "
                    "take softmax = 'full' or 'sampled', or tie_weights = false"
                )
            cutoffs = [cutoff for cutoff in config.cutoffs if cutoff < n_symbols]
            if config.cutoffs and not cutoffs:
                raise ConfigError(
                    f"model.cutoffs: {min(config.cutoffs):,} is the smallest, but there are only "
                    f"{n_symbols:,} symbols; take smaller ones, or model.softmax = 'full'"
                )
            return AdaptiveSoftmax(read, n_symbols, cutoffs)
        return TiedSoftmax(self.embedding) if config.tie_weights else Softmax(read, n_symbols)

    def forward(
        self, symbols: Tensor, state: State = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """What the softmax reads, `[T, B, F]`, of symbols `[T, B]`; and the last states."""
        outputs, last = self.layers(self.dropout(self.look_up(symbols)), state, lengths)
        return self.bridge(self.dropout(outputs)), last

    def look_up(self, symbols: Tensor) -> Tensor:
        """The vectors of symbols; in training some are unknown, and those of others zeros."""
        rate = self.config.embedding_dropout
        if self.training and self.config.word_dropout:
            symbols = hide(symbols, self.hiding)
        vectors: Tensor = self.embedding(symbols)
        if not self.training or rate == 0:
            return vectors
        kept = torch.rand(self.embedding.num_embeddings, device=symbols.device) >= rate
        return vectors * (kept[symbols] / (1 - rate)).to(vectors.dtype)[..., None]

    def nats(self, features: Tensor, right: Tensor) -> Tensor:
        """The summed cross-entropy of right symbols: `[N, F]` and int64 `[N]` to a scalar."""
        if isinstance(self.head, AdaptiveSoftmax):
            return cast(Tensor, -self.head(features, right).sum())
        weight, bias = output_of(self.head)
        if self.training and self.config.softmax == "sampled":
            return sampled_cross_entropy(features, weight, bias, right, self.config.n_samples)
        smoothing = self.config.label_smoothing if self.training else 0.0
        return output_cross_entropy(features, Output(weight, bias), right, smoothing=smoothing)

    def log_probabilities_of(self, features: Tensor, right: Tensor) -> Tensor:
        """The log probabilities of right symbols: `[N, F]` and int64 `[N]` to `[N]`."""
        pieces = zip(features.split(ROWS), right.split(ROWS), strict=True)
        found = [self.log_probabilities(f).gather(1, r[:, None])[:, 0] for f, r in pieces]
        return torch.cat(found)

    def log_probabilities(self, features: Tensor) -> Tensor:
        """The log probabilities of all symbols: `[..., F]` to `[..., V]`."""
        if isinstance(self.head, AdaptiveSoftmax):
            return self.head.log_probabilities(features)
        return torch.log_softmax(self.head(features), dim=-1)

    def stepper(self, state: State, batch_size: int) -> Any:
        """A function from the last symbols, int64 `[B]`, to log probabilities `[B, V]`.

        It goes on from a state; the model is in eval mode and gradients are off.
        """
        step = self.layers.stepper(batch_size, state)

        def advance(last: Tensor) -> Tensor:
            return self.log_probabilities(self.bridge(step(self.embedding(last))))

        return advance


def output_of(head: Softmax | TiedSoftmax) -> tuple[Tensor, Tensor]:
    """The weight `[V, F]` and the bias `[V]` of a linear head."""
    layer = head if isinstance(head, TiedSoftmax) else head.linear
    return layer.weight, cast(Tensor, layer.bias)
