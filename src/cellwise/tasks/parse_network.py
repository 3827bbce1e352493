"""The model of `parse`: an encoder of words and their characters, and a decoder of brackets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.heads.attention import Memory
from cellwise.heads.outputs import last_outputs, sizes_of
from cellwise.heads.search import State
from cellwise.layers import Recurrent
from cellwise.tasks.attentive_decoder import Reading, Written
from cellwise.tasks.encoder_decoder import EncoderDecoder
from cellwise.tasks.pairs import PairBatch
from cellwise.tasks.parse_config import ParseModel
from cellwise.tasks.parse_words import Forgetting


@dataclass(frozen=True)
class SpeltBatch(PairBatch):
    """Pairs as tensors, with the spelling of their words, each different word once.

    Shapes: spelling `[S, B]` (which column of characters), characters `[C, W]`, character_lengths
    `[W]`.
    """

    spelling: Tensor
    characters: Tensor
    character_lengths: Tensor


@dataclass(frozen=True)
class WordMemory(Memory):
    """What attention reads, and for each word `[B, S, E]` a vector for when it comes next."""

    words: Tensor

    def of(self, rows: Tensor) -> WordMemory:
        """The memory of some of the rows, int64 `[n]`."""
        some = super().of(rows)
        return WordMemory(some.values, some.keys, some.padding, self.words.index_select(0, rows))

    def coming(self, places: Tensor) -> Tensor:
        """The vectors of the words at places, int64 `[T, N]`: `[T, N, E]`, zeros after the last.

        N is B, or B·K for K hypotheses that share a row.
        """
        n_rows, n_words, _ = self.words.shape
        rows = torch.arange(places.shape[1], device=places.device) * n_rows // places.shape[1]
        kept = places.clamp(max=n_words - 1)
        over = (places > kept) | self.padding[rows, kept]
        found = nn.functional.embedding(rows * n_words + kept, self.words.flatten(0, 1))
        return found.masked_fill(over[..., None], 0.0)


class Speller(nn.Module):
    """The vector of a word from its characters: both directions' last outputs, through a matrix."""

    def __init__(self, config: ParseModel, n_characters: int):
        super().__init__()
        size, hidden = config.character_embedding_size, config.character_hidden_size
        self.characters = nn.Embedding(n_characters, size, padding_idx=PAD)
        self.layer = Recurrent(config.cell, size, hidden, bidirectional=True)
        self.join = nn.Linear(sizes_of(self.layer, size)[0], config.embedding_size, bias=False)

    def forward(self, batch: SpeltBatch) -> Tensor:
        """The vectors `[S, B, E]` of a batch's words."""
        x = self.characters(batch.characters)
        outputs, _ = self.layer(x, lengths=batch.character_lengths)
        found: Tensor = self.join(last_outputs(outputs, batch.character_lengths))
        return nn.functional.embedding(batch.spelling, found)


class TreeNetwork(EncoderDecoder):
    """Sequence to sequence from words to brackets.

    The vector of a word is the sum of its own (of a rare word, its form's) and of one that its
    characters make. With `next_word` the decoder reads, beside the symbol before, what the encoder
    saw at the first word that is not written yet, so that it need not learn to count.

    Source: Vinyals et al. 2015 (arXiv:1412.7449), section 2; characters as in Ling et al. 2015
    (arXiv:1508.02096); the next word after the deterministic attention of Ma et al. 2017 (AAAI,
    "Deterministic attention for sequence-to-sequence constituent parsing"), here besides learnt
    attention.

    Args:
        config: the sizes and kinds of all parts.
        words: the words and forms.
        n_characters: the number of characters.
        n_target: that of the symbols of trees.
        written_word: which of these stands for a word.
    """

    def __init__(
        self,
        config: ParseModel,
        words: Vocabulary,
        n_characters: int,
        n_target: int,
        *,
        written_word: int,
    ):
        super().__init__(config, len(words), n_target)
        self.written_word = written_word
        self.forgetting = Forgetting(words, config.word_dropout)
        self.speller = Speller(config, n_characters) if config.character_hidden_size else None
        self.next_word: nn.Linear | None = None
        if config.next_word:
            self.next_word = nn.Linear(self._read, config.embedding_size, bias=False)

    def encode_words(self, batch: SpeltBatch) -> Reading:
        """What is read of a batch's sentences."""
        vectors = self.source(self.forgetting(batch.source))
        if self.speller is not None:
            vectors = vectors + self.speller(batch)
        return self.encode_vectors(vectors, batch.lengths)

    def reading(self, seen: Tensor, lengths: Tensor, state: State) -> Reading:
        """What the encoder hands over; the last part of the state is how many words are written."""
        plain = super().reading(seen, lengths, state)
        if self.next_word is None or plain.memory is None:
            return plain
        words = self.next_word(seen).transpose(0, 1)
        memory = WordMemory(plain.memory.values, plain.memory.keys, plain.memory.padding, words)
        return Reading(memory, (*plain.state, lengths.new_zeros(1, len(lengths), 1)), seen)

    def write(
        self, symbols: Tensor, memory: Memory | None, state: State, lengths: Tensor | None = None
    ) -> Written:
        """What the head sees after each symbol."""
        if not isinstance(memory, WordMemory):
            return super().write(symbols, memory, state, lengths)
        *own, written = state
        places = written[0, :, 0] + (symbols == self.written_word).cumsum(0)
        x = self.dropout(self.target(symbols) + memory.coming(places))
        plain = self._advance(x, memory, tuple(own), lengths=lengths)
        return Written(plain.features, (*plain.state, places[-1:, :, None]), plain.weights)
