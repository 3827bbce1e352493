"""The model of `tag`: words and their characters, read from both sides, and labels read off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.heads.crf import CRF
from cellwise.heads.locked_dropout import LockedDropout
from cellwise.heads.outputs import last_outputs, sizes_of
from cellwise.heads.softmax import Softmax
from cellwise.layers import Recurrent
from cellwise.losses.cross_entropy import cross_entropy
from cellwise.tasks.tag_config import TagModel
from cellwise.tasks.word_hiding import hide, hiding
from cellwise.tasks.word_vectors import WordVectors

NO_LABEL = -1
"""What stands where a label is not known, and at padding."""


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
    hiding of words after Kiperwasser and Goldberg 2016 (arXiv:1603.04351), section 4; the CRF after
    Lample et al. 2016 (arXiv:1603.01360).

    Args:
        config: the sizes and shares.
        vectors: the words, the size of their vectors, and those that are given.
        characters: of the spellings.
        n_labels: L.
        allowed: for a CRF, bool `[L + 1, L + 1]`: which label may come after which.
    """

    def __init__(
        self,
        config: TagModel,
        vectors: WordVectors,
        characters: Vocabulary,
        n_labels: int,
        *,
        allowed: Tensor | None = None,
    ):
        super().__init__()
        self.words = nn.Embedding(len(vectors.words), vectors.size, padding_idx=PAD)
        vectors.put_into(self.words)
        self.words.weight.requires_grad_(config.tune_vectors)
        self.characters = nn.Embedding(
            len(characters), config.character_embedding_size, padding_idx=PAD
        )
        self.hiding: Tensor
        self.register_buffer("hiding", hiding(vectors.words, config.word_dropout), persistent=False)
        self.dropout = LockedDropout(config.dropout)
        self.speller = Recurrent(
            config.cell,
            config.character_embedding_size,
            config.character_hidden_size,
            bidirectional=True,
        )
        spelled = sizes_of(self.speller, config.character_embedding_size)[0]
        self.reader = _reader(config, vectors.size + spelled)
        read = sizes_of(self.reader, vectors.size + spelled)[0]
        self.head = Softmax(read, n_labels)
        self.crf = CRF(n_labels, allowed=allowed) if config.head == "crf" else None
        self.smoothing = config.label_smoothing

    def forward(self, batch: Sentences) -> Tensor:
        """The scores of the labels, `[T, B, L]`; logits where there is no CRF."""
        return cast(Tensor, self.head(self.dropout(self.read(batch))))

    def read(self, batch: Sentences) -> Tensor:
        """What the layers over the sentence say of each token, `[T, B, F]`; zeros at padding."""
        x = torch.cat([self.words(self._hide(batch.words)), self._spell(batch)], dim=-1)
        return cast(Tensor, self.reader(self.dropout(x), lengths=batch.lengths)[0])

    def nats(self, scores: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        """The summed loss of labels `[T, B]`, a scalar; those that are NO_LABEL are not known."""
        if self.crf is not None:
            return self.crf.negative_log_likelihood(scores, labels, lengths)
        smoothing = self.smoothing if self.training else 0.0
        return cross_entropy(scores, labels, ignore=NO_LABEL, smoothing=smoothing)

    def decode(self, scores: Tensor, lengths: Tensor) -> list[list[int]]:
        """The most probable labels of each sentence."""
        if self.crf is not None:
            return self.crf.decode(scores, lengths)
        rows = scores.argmax(dim=-1).T.tolist()
        return [row[:n] for row, n in zip(rows, lengths.tolist(), strict=True)]

    def _spell(self, batch: Sentences) -> Tensor:
        """The vector of each token's characters: both directions' last outputs, `[T, B, ·]`."""
        x = self.characters(batch.characters)
        outputs, _ = self.speller(x, lengths=batch.character_lengths)
        return last_outputs(outputs, batch.character_lengths)[batch.spelling]

    def _hide(self, words: Tensor) -> Tensor:
        return hide(words, self.hiding) if self.training else words


def _reader(config: TagModel, input_size: int) -> Recurrent:
    return Recurrent(
        config.cell,
        input_size,
        config.hidden_size,
        num_layers=config.num_layers,
        bidirectional=True,
        dropout=config.dropout if config.num_layers > 1 else 0.0,
        zoneout=config.zoneout,
        weight_dropout=config.weight_dropout,
    )


def spell(sentences: Sequence[Sequence[str]]) -> tuple[list[str], list[list[int]]]:
    """The different tokens of sentences, and for each token which of them it is."""
    number: dict[str, int] = {}
    rows = [[number.setdefault(token, len(number)) for token in tokens] for tokens in sentences]
    return list(number), rows
