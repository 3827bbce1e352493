"""A decoder that writes symbols, with attention over what an encoder saw, if it has any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import PAD, START, UNKNOWN
from cellwise.heads.attention import Attention, Memory
from cellwise.heads.coverage import CoverageAttention, read_again
from cellwise.heads.locked_dropout import LockedDropout
from cellwise.heads.outputs import sizes_of
from cellwise.heads.scheduled_sampling import ScheduledSampling, mixed
from cellwise.heads.search import State, Step
from cellwise.heads.softmax import Softmax
from cellwise.heads.tied_softmax import TiedSoftmax
from cellwise.heads.turning import turned
from cellwise.layers import Recurrent
from cellwise.losses.output_cross_entropy import Output, output_cross_entropy
from cellwise.tasks.transduce_config import TransduceModel


@dataclass(frozen=True)
class Reading:
    """What an encoder hands over: what attention reads, the decoder's first state, what it saw.

    The state holds the layers' own, `[layers, B, ·]` each, and after them what the decoder further
    remembers: `[1, B, ·]` each.
    """

    memory: Memory | None
    state: State
    seen: Tensor

    def of(self, rows: Tensor) -> Reading:
        """What was read of some rows only, or of some more than once; int64 `[n]`."""
        memory = None if self.memory is None else self.memory.of(rows)
        state = tuple(part.index_select(1, rows) for part in self.state)
        return Reading(memory, state, self.seen.index_select(1, rows))


@dataclass(frozen=True)
class Written:
    """What a decoder makes of symbols: what the head sees, `[T, B, F]`, and the state after them.

    `weights`, `[T, B, S]`, is how much attention read of each place; None without attention.
    """

    features: Tensor
    state: State
    weights: Tensor | None = None


class AttentiveDecoder(nn.Module):
    """A decoder over an embedding of target symbols, with attention and a softmax.

    The output of a step is softmax(V tanh(W [context; h])). The context's part of W is applied to
    what the encoder saw, of which the context is a mean: the result is the same, with fewer and
    smaller products. Without input feeding, and without scheduled sampling, the decoder runs over
    the whole target at once in training; else step by step, in 1.5 to 2 times the time.

    A model derives from it, has an encoder besides, and hands over what `reading` gives.

    With `right_to_left` it writes the last symbol first. Searches with its `stepper` find symbols
    in that order; whoever hands over whole texts does so in the order in which they are read.

    Source: Luong et al. 2015 (arXiv:1508.04025), equations 5 to 8; input feeding: section 3.3.
    """

    attention: Attention | None

    def add_embeddings(self, config: TransduceModel, n_target: int) -> None:
        """Make the embedding of the target, and the dropout of all parts."""
        self.config = config
        self.target = nn.Embedding(n_target, config.embedding_size, padding_idx=PAD)
        self.dropout = LockedDropout(config.dropout)

    def add_decoder(self) -> int:
        """Make the layers that write; the size of their output."""
        config = self.config
        shared = config.share_embeddings != "none"
        self.joined_size = config.embedding_size if shared else config.hidden_size
        incoming = config.embedding_size + (self.joined_size if config.input_feeding else 0)
        self.decoder = layers_of(config, incoming, config.decoder_layers)
        self.written, self.state_sizes = sizes_of(self.decoder, incoming)
        return self.written

    def add_output(self, read: int) -> None:
        """Make the attention over `read` numbers a place, and the head, after `add_decoder`."""
        config = self.config
        self._read = 0 if config.attention == "none" else read
        self.attention = self._attention() if self._read else None
        self.join = nn.Linear(self._read + self.written, self.joined_size)
        self.head = self._head()
        if config.scheduled_sampling:
            self.sampling = ScheduledSampling(
                config.scheduled_sampling, config.sampling_growth, config.sampling_batches
            )

    def _attention(self) -> Attention:
        config = self.config
        assert config.attention != "none"
        if config.coverage:
            return CoverageAttention(self.written, self._read)
        return Attention(self.written, self._read, config.attention)

    def _head(self) -> Softmax | TiedSoftmax:
        if self.config.share_embeddings != "none":
            return TiedSoftmax(self.target)
        return Softmax(self.joined_size, self.target.num_embeddings)

    # What is read.

    def reading(self, seen: Tensor, lengths: Tensor, state: State) -> Reading:
        """What an encoder hands over.

        Args:
            seen: `[S, B, read]`, its outputs, in training with some of them dropped.
            lengths: int64 `[B]`, how many of them are real.
            state: the decoder's layers' first, `[layers, B, ·]` each.
        """
        more = []
        if self.config.input_feeding:
            more.append(seen.new_zeros(1, seen.shape[1], self.joined_size))
        if self.config.coverage:
            more.append(seen.new_zeros(1, seen.shape[1], len(seen)))
        return Reading(self._memory(seen, lengths), (*state, *more), seen)

    def _memory(self, seen: Tensor, lengths: Tensor) -> Memory | None:
        if self.attention is None:
            return None
        values = nn.functional.linear(seen, self.join.weight[:, : self._read])
        return self.attention.remember(seen, lengths, values=values)

    # What is written.

    def write(
        self, symbols: Tensor, memory: Memory | None, state: State, lengths: Tensor | None = None
    ) -> Written:
        """What the head sees after each symbol.

        Args:
            symbols: int64 `[T, B]`.
            memory: what the encoder handed over to attention.
            state: the decoder's.
            lengths: int64 `[B]`, how many symbols of each row count; None: all T.
        """
        rate = self.sampling.next_rate() if self.config.scheduled_sampling else 0.0
        if len(symbols) > 1 and (self.config.input_feeding or rate):
            return self._write_in_steps(symbols, memory, state, rate)
        x = self.dropout(self.target(symbols))
        return self._advance(x, memory, state, lengths=lengths)

    def _advance(
        self,
        x: Tensor,
        memory: Memory | None,
        state: State,
        *,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Written:
        """From vectors `[T, B, ·]`: one of a step with input feeding, else of all steps.

        `mask`, `[1, B, F]`, is what drops features; None: one is drawn.
        """
        own, fed, coverage = self._apart(state)
        outputs, after = self.decoder(x if fed is None else torch.cat([x, fed], -1), own, lengths)
        joined = nn.functional.linear(outputs, self.join.weight[:, self._read :], self.join.bias)
        weights: Tensor | None = None
        if self.attention is not None and memory is not None:
            contexts, weights = self._attend(outputs, memory, coverage)
            joined = joined + contexts
        features = torch.tanh(joined)
        features = self.dropout(features) if mask is None else features * mask
        more = [] if fed is None else [features]
        if coverage is not None and weights is not None:
            more.append(coverage + weights.sum(0))
        return Written(features, (*after, *more), weights)

    def _attend(
        self, outputs: Tensor, memory: Memory, coverage: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if isinstance(self.attention, CoverageAttention):
            assert coverage is not None
            return self.attention.read_anew(outputs, memory, coverage[0])
        assert self.attention is not None
        return self.attention.read(outputs, memory)

    def _write_in_steps(
        self, symbols: Tensor, memory: Memory | None, state: State, rate: float
    ) -> Written:
        """The same, a step at a time; with probability `rate` a symbol is the decoder's own."""
        incoming = self.dropout.mask(self.target(symbols[:1]))
        outgoing = self.dropout.mask(incoming.new_empty(1, symbols.shape[1], self.joined_size))
        steps: list[Written] = []
        for right in symbols:
            read = self._own(right, steps[-1], rate) if steps and rate else right
            x = self.target(read[None]) * incoming
            steps.append(self._advance(x, memory, state, mask=outgoing))
            state = steps[-1].state
        weights = [step.weights for step in steps if step.weights is not None]
        features = torch.cat([step.features for step in steps])
        return Written(features, state, torch.cat(weights) if weights else None)

    @torch.no_grad()
    def _own(self, right: Tensor, before: Written, rate: float) -> Tensor:
        """The right symbols, some of them replaced by what the decoder says after `before`."""
        own = torch.rand(right.shape, device=right.device) < rate
        if not own.any():
            return right
        return mixed(right, without_specials(self.head(before.features[0, own])), own)

    def _apart(self, state: State) -> tuple[State, Tensor | None, Tensor | None]:
        """The layers' own state, what was fed back, and the coverage."""
        n_own, more = len(self.state_sizes), list(state[len(self.state_sizes) :])
        fed = more.pop(0) if self.config.input_feeding else None
        return state[:n_own], fed, more.pop(0) if self.config.coverage else None

    # What it says.

    @property
    def right_to_left(self) -> bool:
        """Whether the last symbol is written first."""
        return self.config.right_to_left

    def logits(
        self, reading: Reading, symbols: Tensor, symbol_lengths: Tensor | None = None
    ) -> Tensor:
        """The logits `[T, B, V]` of the symbol written after each of `symbols`, int64 `[T, B]`.

        Where `symbol_lengths`, int64 `[B]`, are given, what follows later symbols is left open.
        """
        written = self.write(symbols, reading.memory, reading.state, symbol_lengths)
        return cast(Tensor, self.head(written.features))

    def nats(self, reading: Reading, before: Tensor, after: Tensor, lengths: Tensor) -> Tensor:
        """The summed loss of symbols `after` those `before`, `[T, B]`, of which `lengths` are real.

        In training it is that of smoothed labels, and holds the loss of coverage, where asked for.
        """
        before, after = self.as_written(before, after, lengths)
        written = self.write(before, reading.memory, reading.state, lengths)
        real = real_steps(lengths.to(before.device), len(before))
        output = Output(self.head.weight, self.head.bias)
        smoothing = self.config.label_smoothing if self.training else 0.0
        loss = output_cross_entropy(
            written.features[real], output, after[real], smoothing=smoothing
        )
        if self.training and self.config.coverage and written.weights is not None:
            loss = loss + self.config.coverage_loss * read_again(written.weights)[real].sum()
        return loss

    def log_probabilities(
        self, reading: Reading, before: Tensor, after: Tensor, lengths: Tensor
    ) -> Tensor:
        """The log probability of each text, its end included, as a search counts it: `[B]`.

        The texts are given as to `nats`.
        """
        before, after = self.as_written(before, after, lengths)
        log_p = torch.log_softmax(without_specials(self.logits(reading, before, lengths)), dim=-1)
        return of_texts(log_p, after, lengths)

    def attention_weights(self, reading: Reading, before: Tensor, lengths: Tensor) -> Tensor | None:
        """How much was read of each place to write the symbol after each of `before`, `[T, B]`.

        Returns:
            `[T, B, S]`, of which `lengths` `[B]` steps are real; None without attention.
        """
        written, _ = self.as_written(before, before, lengths)
        weights = self.write(written, reading.memory, reading.state).weights
        if weights is None or not self.right_to_left:
            return weights
        return turned(weights, lengths - 1)  # the end is written last in either direction

    def as_written(self, before: Tensor, after: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Symbols after a start, and before an end, in the order in which they are written."""
        if not self.right_to_left:
            return before, after
        counts = (lengths - 1).to(before.device)
        return torch.cat([before[:1], turned(before[1:], counts)]), turned(after, counts)

    def stepper(self, reading: Reading) -> Step:
        """The decoder as a search sees it; padding, unknown and start symbols are never written."""
        return _Writer(self, reading.memory)


@dataclass(frozen=True)
class _Writer:
    """A decoder at work on what was read; the hypotheses of a row lie together."""

    network: AttentiveDecoder
    memory: Memory | None

    def __call__(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        written = self.network.write(last[None], self.memory, state)
        logits = without_specials(self.network.head(written.features[0]))
        return torch.log_softmax(logits, dim=-1), written.state

    def of(self, rows: Tensor) -> Step:
        return _Writer(self.network, None if self.memory is None else self.memory.of(rows))


def real_steps(lengths: Tensor, n_steps: int) -> Tensor:
    """Which steps are none of padding: `[T, B]` of lengths `[B]`."""
    return torch.arange(n_steps, device=lengths.device)[:, None] < lengths


def of_texts(log_p: Tensor, after: Tensor, lengths: Tensor) -> Tensor:
    """The log probabilities `[B]` of texts from those of all symbols, `[T, B, V]`.

    Of the symbols `after`, `[T, B]`, `lengths` `[B]` are real.
    """
    own = log_p.gather(-1, after[..., None])[..., 0]
    return own.masked_fill(~real_steps(lengths.to(after.device), len(after)), 0.0).sum(0)


def without_specials(logits: Tensor) -> Tensor:
    """The same logits, `[..., V]`, in place, but padding, unknown and start are impossible."""
    logits[..., [PAD, UNKNOWN, START]] = -torch.inf
    return logits


def layers_of(
    config: TransduceModel, input_size: int, num_layers: int, *, bidirectional: bool = False
) -> Recurrent:
    """Recurrent layers of the configured cell."""
    return Recurrent(
        config.cell,
        input_size,
        config.hidden_size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        dropout=config.dropout if num_layers > 1 else 0.0,
        zoneout=config.zoneout,
        weight_dropout=config.weight_dropout,
    )
