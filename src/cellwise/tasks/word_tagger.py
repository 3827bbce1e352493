"""The model of `tag`: words and their characters, read from both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.heads.locked_dropout import LockedDropout
from cellwise.heads.outputs import last_outputs, sizes_of
from cellwise.heads.softmax import Softmax
from cellwise.layers import Recurrent
from cellwise.tasks.tag_config import TagModel
from cellwise.tasks.word_hiding import hide, hiding


@dataclass(frozen=True)
class Sentences:
    """Sentences as tensors, each spelling once.

    Shapes: words `[T, B]` (numbers in the vocabulary), lengths `[B]`, spelling `[T, B]` (which
    column of characters), characters `[C, W]`, character_lengths `[W]`.
    """

    words: Tensor
    lengths: Tensor
    spelling: Tensor
    characters: Tensor
    character_lengths: Tensor

    def to(self, device: torch.device) -> Sentences:
        """The same sentences on a device."""
        return Sentences(
            self.words.to(device),
            self.lengths.to(device),
            self.spelling.to(device),
            self.characters.to(device),
            self.character_lengths.to(device),
        )


class WordTagger(nn.Module):
    """A label for every token from a bidirectional network over word and character vectors.

    Source: Plank, Søgaard and Goldberg 2016 (arXiv:1604.05529), without the auxiliary loss; the
    hiding of words after Kiperwasser and Goldberg 2016 (arXiv:1603.04351), section 4.
    """

    def __init__(
        self, config: TagModel, words: Vocabulary, characters: Vocabulary, labels: Vocabulary
    ):
        super().__init__()
        self.words = nn.Embedding(len(words), config.word_embedding_size, padding_idx=PAD)
        self.characters = nn.Embedding(
            len(characters), config.character_embedding_size, padding_idx=PAD
        )
        self.hiding: Tensor
        self.register_buffer("hiding", hiding(words, config.word_dropout), persistent=False)
        self.dropout = LockedDropout(config.dropout)
        self.speller = Recurrent(
            config.cell,
            config.character_embedding_size,
            config.character_hidden_size,
            bidirectional=True,
        )
        spelled = sizes_of(self.speller, config.character_embedding_size)[0]
        self.reader = Recurrent(
            config.cell,
            config.word_embedding_size + spelled,
            config.hidden_size,
            num_layers=config.num_layers,
            bidirectional=True,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
        )
        read = sizes_of(self.reader, config.word_embedding_size + spelled)[0]
        self.head = Softmax(read, len(labels))

    def forward(self, batch: Sentences) -> Tensor:
        """The logits of the labels, `[T, B, L]`."""
        x = torch.cat([self.words(self._hide(batch.words)), self._spell(batch)], dim=-1)
        outputs, _ = self.reader(self.dropout(x), lengths=batch.lengths)
        return cast(Tensor, self.head(self.dropout(outputs)))

    def _spell(self, batch: Sentences) -> Tensor:
        """The vector of each token's characters: both directions' last outputs, `[T, B, ·]`."""
        x = self.characters(batch.characters)
        outputs, _ = self.speller(x, lengths=batch.character_lengths)
        return last_outputs(outputs, batch.character_lengths)[batch.spelling]

    def _hide(self, words: Tensor) -> Tensor:
        return hide(words, self.hiding) if self.training else words


def spell(sentences: Sequence[Sequence[str]]) -> tuple[list[str], list[list[int]]]:
    """The different tokens of sentences, and for each token which of them it is."""
    number: dict[str, int] = {}
    rows = [[number.setdefault(token, len(number)) for token in tokens] for tokens in sentences]
    return list(number), rows
