"""The model of `transduce`: a bidirectional encoder, global attention, and a decoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import PAD, START, UNKNOWN
from cellwise.heads.attention import Attention, Memory
from cellwise.heads.locked_dropout import LockedDropout
from cellwise.heads.outputs import sizes_of
from cellwise.heads.search import State, Step
from cellwise.heads.softmax import Softmax
from cellwise.layers import Recurrent
from cellwise.tasks.transduce_config import TransduceModel


@dataclass(frozen=True)
class Reading:
    """What the encoder hands over: what attention reads, and the decoder's first state."""

    memory: Memory
    state: State


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


class EncoderDecoder(nn.Module):
    """Sequence to sequence: `x` is read from both sides, `y` is written with attention over `x`.

    The attention does not feed back into the decoder, so that in training the decoder runs over the
    whole target at once. The output of a step is softmax(V tanh(W [context; h])). The context's
    part of W is applied to what the encoder saw, of which the context is a mean: the result is the
    same, with fewer and smaller products.

    Source: Luong et al. 2015 (arXiv:1508.04025), equations 5 to 8, without their input feeding
    (section 3.3).
    """

    def __init__(self, config: TransduceModel, n_source: int, n_target: int):
        super().__init__()
        size, hidden = config.embedding_size, config.hidden_size
        self.source = nn.Embedding(n_source, size, padding_idx=PAD)
        self.target = nn.Embedding(n_target, size, padding_idx=PAD)
        self.dropout = LockedDropout(config.dropout)
        self.encoder = _layers(config, config.encoder_layers, bidirectional=True)
        self.decoder = _layers(config, config.decoder_layers, bidirectional=False)
        written, state_sizes = sizes_of(self.decoder, size)
        read = 2 * written
        self.bridge = Bridge(state_sizes, config.encoder_layers, config.decoder_layers)
        self.attention = Attention(written, read, config.attention)
        self.join = nn.Linear(read + written, hidden)
        self.head = Softmax(hidden, n_target)

    def encode(self, source: Tensor, lengths: Tensor) -> Reading:
        """source: int64 `[S, B]`, lengths: int64 `[B]`."""
        x = self.dropout(self.source(source))
        outputs, state = self.encoder(x, lengths=lengths)
        seen = self.dropout(outputs)
        values = nn.functional.linear(seen, self._of_context)
        memory = self.attention.remember(seen, lengths, values=values)
        return Reading(memory, self.bridge(tuple(state)))

    def features(
        self, symbols: Tensor, memory: Memory, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """What the head sees after each symbol, `[T, B, H]`, and the last state.

        Args:
            symbols: int64 `[T, B]`.
            memory: what the encoder handed over to attention.
            state: the decoder's, `[layers, B, ·]` each.
            lengths: int64 `[B]`, how many symbols of each row count; None: all T.
        """
        outputs, state = self.decoder(self.dropout(self.target(symbols)), state, lengths)
        own = nn.functional.linear(outputs, self._of_output, self.join.bias)
        joined = torch.tanh(own + self.attention(outputs, memory))
        return self.dropout(joined), tuple(state)

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

    def logits(
        self, reading: Reading, symbols: Tensor, symbol_lengths: Tensor | None = None
    ) -> Tensor:
        """The logits of `forward`, of a source that was read before."""
        features, _ = self.features(symbols, reading.memory, reading.state, symbol_lengths)
        logits: Tensor = self.head(features)
        return logits

    @property
    def _of_context(self) -> Tensor:
        """The part of W that a context is multiplied by."""
        return self.join.weight[:, : self.attention.key.in_features]

    @property
    def _of_output(self) -> Tensor:
        """The part of W that the decoder's output is multiplied by."""
        return self.join.weight[:, self.attention.key.in_features :]

    def stepper(self, memory: Memory) -> Step:
        """The decoder as a search sees it; padding, unknown and start symbols are never written."""
        return _Writer(self, memory)


@dataclass(frozen=True)
class _Writer:
    """A decoder at work on what was read; the hypotheses of a row lie together."""

    network: EncoderDecoder
    memory: Memory

    def __call__(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        features, state = self.network.features(last[None], self.memory, state)
        logits = self.network.head(features[0])
        logits[:, [PAD, UNKNOWN, START]] = -torch.inf
        return torch.log_softmax(logits, dim=-1), state

    def of(self, rows: Tensor) -> Step:
        return _Writer(self.network, self.memory.of(rows))


def _layers(config: TransduceModel, num_layers: int, *, bidirectional: bool) -> Recurrent:
    return Recurrent(
        config.cell,
        config.embedding_size,
        config.hidden_size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        dropout=config.dropout if num_layers > 1 else 0.0,
    )
