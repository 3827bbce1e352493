"""The model of `classify`: vectors of symbols, recurrent layers, pooling, a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.heads.locked_dropout import LockedDropout
from cellwise.heads.outputs import sizes_of
from cellwise.heads.pooling import Pooling
from cellwise.heads.softmax import Softmax
from cellwise.layers import Recurrent
from cellwise.tasks.classify_config import ClassifyModel
from cellwise.tasks.word_hiding import hide, hiding


@dataclass(frozen=True)
class Texts:
    """Texts as numbers of their symbols, `[T, B]`, and their lengths `[B]`, both int64."""

    symbols: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> Texts:
        """The same texts on a device."""
        return Texts(self.symbols.to(device), self.lengths.to(device))

    def crop(self, size: int) -> Texts:
        """A random stretch of each text: `size` symbols, or all where there are no more."""
        lengths = self.lengths.clamp(max=size)
        room = self.lengths - lengths + 1
        first = (torch.rand(room.shape, device=room.device) * room).long()
        steps = torch.arange(min(size, len(self.symbols)), device=room.device)[:, None]
        places = (first + steps).clamp(max=len(self.symbols) - 1)
        symbols = self.symbols.gather(0, places).masked_fill(steps >= lengths, PAD)
        return Texts(symbols, lengths)


class TextClassifier(nn.Module):
    """A class for a text, from recurrent layers of any cell.

    Args:
        config: sizes and rates.
        words: the symbols, with their counts in training.
        n_classes: how many logits there are.
        embedding_size: the size of symbols' vectors, settled.
    """

    def __init__(
        self, config: ClassifyModel, words: Vocabulary, n_classes: int, *, embedding_size: int
    ):
        super().__init__()
        self.words = nn.Embedding(len(words), embedding_size, padding_idx=PAD)
        nn.init.uniform_(self.words.weight, -config.embedding_range, config.embedding_range)
        self.words.weight.requires_grad_(config.tune_vectors)
        self.crop = config.crop
        self.hiding: Tensor
        self.register_buffer("hiding", hiding(words, config.word_dropout), persistent=False)
        self.embedding_dropout = LockedDropout(config.embedding_dropout)
        self.reader = Recurrent(
            config.cell,
            embedding_size,
            config.hidden_size,
            num_layers=config.num_layers,
            bidirectional=config.bidirectional,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
            zoneout=config.zoneout,
            weight_dropout=config.weight_dropout,
        )
        self.size = sizes_of(self.reader, embedding_size)[0]
        self.pooling = Pooling(
            self.size,
            config.pooling,
            bidirectional=config.bidirectional,
            attention_size=config.attention_size,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = Softmax(self.size, n_classes)

    def forward(self, texts: Texts) -> Tensor:
        """The logits of the classes, `[B, C]`."""
        return cast(Tensor, self.head(self.dropout(self.encode(texts))))

    def encode(self, texts: Texts) -> Tensor:
        """The vectors of texts, `[B, F]`; in training of a stretch of each, if `crop` says so."""
        if self.training and self.crop:
            texts = texts.crop(self.crop)
        return cast(Tensor, self.pooling(self.read(texts), texts.lengths))

    def read(self, texts: Texts) -> Tensor:
        """What the layers make of each symbol, `[T, B, F]`."""
        words = hide(texts.symbols, self.hiding) if self.training else texts.symbols
        x = self.embedding_dropout(self.words(words))
        return cast(Tensor, self.reader(x, lengths=texts.lengths)[0])

    def label(self, texts: Texts) -> tuple[Tensor, Tensor | None]:
        """The logits, and what attention reads of each symbol, `[T, B]`, where there is any."""
        outputs = self.read(texts)
        weights = None
        if self.pooling.kind == "attention":
            weights = self.pooling.weights(outputs, texts.lengths)
        return self.head(self.pooling(outputs, texts.lengths)), weights
