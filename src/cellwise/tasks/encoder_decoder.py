"""The model of `transduce`: a bidirectional encoder, and a decoder with attention over it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.heads.search import State
from cellwise.tasks.attentive_decoder import AttentiveDecoder, Reading, layers_of
from cellwise.tasks.transduce_config import TransduceModel
from cellwise.tasks.word_hiding import hide, hiding


class Bridge(nn.Module):
    """The decoder's first state: for each unit a learned mean of both directions' last states.

    A mean of two states is a state again (bounded where they are, positive where they are),
    whatever the cell. Decoder layers take the encoder's top layers; where there are more of them,
    the top one serves twice. For a cell without states there is nothing to hand down.
    """

    def __init__(self, sizes: tuple[int, ...], encoder_layers: int, decoder_layers: int):
        super().__init__()
        below = max(0, encoder_layers - decoder_layers)
        layers = [min(below + i, encoder_layers - 1) for i in range(decoder_layers)]
        self.layers = layers
        self.mix = nn.ParameterList([torch.zeros(len(layers), 1, size) for size in sizes])

    def forward(self, state: State) -> State:
        """From `[layers * 2, B, H]` each, the directions in turn, to `[decoder_layers, B, H]`."""
        return tuple(self._join(part, mix) for part, mix in zip(state, self.mix, strict=True))

    def _join(self, part: Tensor, mix: Tensor) -> Tensor:
        forward, backward = (torch.stack([part[2 * i + w] for i in self.layers]) for w in (0, 1))
        return torch.lerp(backward, forward, torch.sigmoid(mix))


class EncoderDecoder(AttentiveDecoder):
    """Sequence to sequence: `x` is read from both sides, `y` is written with attention over `x`.

    The decoder starts from a mean of the encoder's last states; `AttentiveDecoder` says how it goes
    on. With `share_embeddings = "all"` the vectors of source symbols are those of the target.

    Args:
        config: the sizes and kinds of all parts.
        n_source: the number of source symbols.
        n_target: that of target symbols.
    """

    hiding: Tensor | None

    def __init__(self, config: TransduceModel, n_source: int, n_target: int):
        super().__init__()
        self.source = nn.Embedding(n_source, config.embedding_size, padding_idx=PAD)
        self.add_embeddings(config, n_target)
        if config.share_embeddings == "all":
            self.source = self.target
        self.register_buffer("hiding", None, persistent=False)
        self.encoder = layers_of(
            config, config.embedding_size, config.encoder_layers, bidirectional=True
        )
        read = self.add_decoder()
        self.bridge = Bridge(self.state_sizes, config.encoder_layers, config.decoder_layers)
        self.add_output(2 * read)

    def hide_words(self, sources: Vocabulary) -> None:
        """Hide source symbols in training, rare ones more often, as `word_dropout` says."""
        if self.config.word_dropout:
            self.hiding = hiding(sources, self.config.word_dropout)

    def encode(self, source: Tensor, lengths: Tensor) -> Reading:
        """What is read of source, int64 `[S, B]`, of which lengths, int64 `[B]`, are real."""
        if self.training and self.hiding is not None:
            source = hide(source, self.hiding)
        return self.encode_vectors(self.source(source), lengths)

    def encode_vectors(self, vectors: Tensor, lengths: Tensor) -> Reading:
        """What is read of vectors `[S, B, E]`, which a model may make in other ways, too."""
        outputs, state = self.encoder(self.dropout(vectors), lengths=lengths)
        return self.reading(self.dropout(outputs), lengths, self.bridge(tuple(state)))

    def forward(
        self,
        source: Tensor,
        lengths: Tensor,
        symbols: Tensor,
        symbol_lengths: Tensor | None = None,
    ) -> Tensor:
        """The logits `[T, B, V]` of the symbol after each of `symbols`, int64 `[T, B]`.

        Where `symbol_lengths`, int64 `[B]`, are given, what follows later symbols is left open.
        """
        return self.logits(self.encode(source, lengths), symbols, symbol_lengths)
