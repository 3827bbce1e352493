"""`transduce`: one sequence in, another one out, such as spelling to pronunciation.

A task that is a transduction of its own derives from `Transduce` and replaces what is different:

- `read_texts`: how a file becomes pairs of texts; `folded`: what is done to a source first;
- `grouped`: whether a source that comes several times is judged once;
- `cut_source`, `cut_target`: the symbols of a text;
- `fit`, `collate`, `build`: more vocabularies, more tensors in a batch, more in the model;
- `read_batch`: what the encoder is given;
- `writer`: what the decoder may write, such as well-formed trees alone; `limits`: how much;
- `answer`: what is said of what the search found; `scores`: the metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from cellwise.data.batches import in_chunks, plan_in_order
from cellwise.data.marked import marked
from cellwise.data.vocabulary import END, START
from cellwise.errors import ConfigError, DataError
from cellwise.heads.search import Found, Rules, State, Step, search_several
from cellwise.tasks.attentive_decoder import Reading
from cellwise.tasks.base import Advance, Answer, Report, Section, device_of
from cellwise.tasks.encoder_decoder import EncoderDecoder
from cellwise.tasks.ensemble import BothWays, Ensemble, Readings
from cellwise.tasks.pair_task import PairTask
from cellwise.tasks.pairs import Pair, PairBatch
from cellwise.tasks.transduce_answers import NOTHING, Told, attention_record, without_source
from cellwise.tasks.transduce_config import (
    TransduceData,
    TransduceDecoding,
    TransduceModel,
    check_transduce,
)
from cellwise.tasks.transduce_proposals import judged
from cellwise.tasks.transduce_scores import Cut, goal_of, scores_of

Network = EncoderDecoder | Ensemble
"""What writes: a trained model, or several of them together."""

Answering = Network | BothWays
"""What answers: what writes, or two of them that write in different directions."""


class Transduce(PairTask):
    """Sequence to sequence with an encoder, attention and a decoder, of any cell."""

    name = "transduce"
    summary = (
        "turn one sequence into another: pronunciation, transliteration, spelling, translation"
    )
    Data: ClassVar[type[Section]] = TransduceData
    Model = TransduceModel
    Decoding = TransduceDecoding
    metric = "token_error_rate"
    goal: Literal["min", "max"] = "min"
    unit = "symbols"

    data: TransduceData
    model: TransduceModel
    decoding: TransduceDecoding

    def __init__(self, data: Section, model: Section, decoding: Section):
        super().__init__(data, model, decoding)
        check_transduce(self.data, self.model, self.decoding)
        self.metric, self.goal = self.decoding.metric, goal_of(self.decoding.metric)

    def build(self) -> EncoderDecoder:
        """A fresh model for the vocabularies at hand."""
        model = EncoderDecoder(self.sized_model(), len(self.sources), len(self.targets))
        self._vectors.put_into(model.source)
        model.hide_words(self.sources)
        return model

    def sized_model(self) -> TransduceModel:
        """The configuration of the model, with the size that vectors really have."""
        return self.model.model_copy(update={"embedding_size": self._vectors.size})

    # Learning and judging.

    def loss(self, model: nn.Module, batch: PairBatch) -> tuple[Tensor, int]:
        """The cross-entropy of the targets, their end marks included."""
        network = cast(EncoderDecoder, model)
        return self._nats(network, self.read_batch(network, batch), batch), batch.n_units

    def _nats(self, network: Answering, reading: Reading, batch: PairBatch) -> Tensor:
        return network.nats(reading, batch.before, batch.after, batch.target_lengths)

    def evaluate(
        self, model: nn.Module, examples: Sequence[Pair], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        """The metrics of the answers, and the loss per symbol."""
        return self.report(model, examples, batch_size=batch_size, advance=advance).metrics

    def report(
        self, model: nn.Module, examples: Sequence[Pair], *, batch_size: int, advance: Advance
    ) -> Report:
        """The metrics of the answers, the loss per symbol, and the signatures of metrics."""
        if not examples:
            raise DataError("there is no pair to evaluate on")
        network = cast(Answering, model)
        pairs = self.grouped(examples)
        answers: list[Cut] = [()] * len(pairs)
        nats, n_units = 0.0, 0
        for rows in plan_in_order([self.size(pair) for pair in pairs], batch_size):
            batch = self.collate([pairs[i] for i in rows]).to(device_of(model))
            reading = self._read_all(network, batch)
            nats += float(self._nats(network, reading, batch))
            n_units += batch.n_units
            for i, found in zip(rows, self._search(network, reading, batch), strict=True):
                answers[i] = tuple(self.targets.decode(found[0].symbols))
            advance(len(rows))
        advance(len(examples) - len(pairs))
        report = self.scores(answers, pairs)
        return replace(report, metrics={"loss": nats / n_units, **report.metrics})

    def scores(self, answers: Sequence[Cut], pairs: Sequence[Pair]) -> Report:
        """The metrics of answers, symbols each, beside the pairs that they are answers to."""
        return scores_of(answers, pairs, self.target_symbols)

    # Answering.

    def predict(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Answer]:
        """The best target of each line. A list is answered in batches, a stream line by line."""
        for chunk in self._chunks(lines):
            yield from self._answers(cast(Answering, model), [line.strip() for line in chunk])

    def encode(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Tensor]:
        """The mean of the encoder's outputs over each line: `[F]`."""
        for chunk in self._chunks(lines):
            batch = self._asked([line.strip() for line in chunk]).to(device_of(model))
            seen = self._read_all(cast(Answering, model), batch).seen
            yield from (seen.sum(0) / batch.lengths.clamp(min=1)[:, None]).cpu()

    def ensemble(self, models: Sequence[nn.Module]) -> Ensemble | BothWays:
        """Several models of these vocabularies as one: the mean of their probabilities.

        Where they write in different directions, it is the mean of their logarithms.
        """
        members = [cast(EncoderDecoder, model) for model in models]
        alike = len({member.right_to_left for member in members}) == 1
        return Ensemble(members) if alike else BothWays(members)

    def _chunks(self, lines: Iterable[str]) -> Iterator[list[str]]:
        return in_chunks(lines, self.decoding.batch_size if isinstance(lines, Sequence) else 1)

    def _asked(self, texts: Sequence[str]) -> PairBatch:
        return self.collate([Pair(self.folded(text), ("",)) for text in texts])

    def _answers(self, network: Answering, texts: Sequence[str]) -> list[Answer]:
        cuts = [self.cut_source(self.folded(text)) for text in texts]
        asked = [text for text, cut in zip(texts, cuts, strict=True) if cut]
        found: Iterator[Told] = iter(())
        if asked:
            with torch.no_grad():
                found = iter(self._told(network, self._asked(asked).to(device_of(network))))
        return [
            self._answer(text, cut, next(found) if cut else NOTHING)
            for text, cut in zip(texts, cuts, strict=True)
        ]

    def _told(self, network: Answering, batch: PairBatch) -> list[Told]:
        """What the search finds for each row of a batch, with the weights of attention if asked."""
        reading = self._read_all(network, batch)
        found = self._search(network, reading, batch)
        if not self.decoding.attention:
            return [Told(one) for one in found]
        best = marked([one[0].symbols for one in found]).to(batch.source.device)
        weights = network.attention_weights(reading, best.before, best.lengths)
        if weights is None:
            raise ConfigError("there is no attention to show: model.attention is 'none'")
        return [Told(one, weights[:, row].cpu()) for row, one in enumerate(found)]

    def _answer(self, text: str, cut: Cut, told: Told) -> Answer:
        best, *others = (self.answer(text, found) for found in told.found)
        record = dict(best.record)
        if self.decoding.n_best > 1:
            record["n_best"] = [without_source(one.record) for one in (best, *others)]
        if self.decoding.attention:
            target = self.targets.decode(told.found[0].symbols)
            record["attention"] = attention_record(cut, target, told)
        return replace(best, record=record)

    @property
    def score_name(self) -> str:
        """What the number is called by which answers are ranked."""
        return "log_probability"

    def answer(self, text: str, found: Found) -> Answer:
        """What is said of what the search found for a text."""
        symbols = self.targets.decode(found.symbols)
        output, score = self.target_symbols.join(symbols), found.log_probability
        record = {
            "source": text,
            "output": output,
            "symbols": symbols,
            self.score_name: score if math.isfinite(score) else None,
        }
        return Answer(output, record)

    # What the decoder reads and writes.

    def read_batch(self, network: EncoderDecoder, batch: PairBatch) -> Reading:
        """What the encoder makes of a batch's sources."""
        return network.encode(batch.source, batch.lengths)

    def _read_all(self, network: Answering, batch: PairBatch) -> Reading:
        if isinstance(network, Ensemble | BothWays):
            members = (cast(EncoderDecoder, member) for member in network)
            return Readings.together([self.read_batch(member, batch) for member in members])
        return self.read_batch(network, batch)

    def writer(self, network: Network, reading: Reading, batch: PairBatch) -> tuple[Step, State]:
        """The decoder as a search sees it, and its first state.

        A task that allows some symbols only wraps both. Its step calls the one given here with the
        tensors that this one's state holds, sets the log probabilities of what is forbidden to
        -inf, and appends what it has to remember to the state: tensors `[1, rows, k]`, which the
        search repeats for the hypotheses of a beam and reorders with the others. Its `of(rows)`
        wraps the inner step's. Something must always be allowed, and the end at the row's limit.
        """
        return network.stepper(reading), reading.state

    def limits(self, batch: PairBatch) -> Tensor:
        """The most symbols that each row's target may have, int64 `[B]`."""
        return (batch.lengths * self.decoding.max_length_ratio).long() + 10

    def _search(self, network: Answering, reading: Reading, batch: PairBatch) -> list[list[Found]]:
        """The best answers for each row, in the order in which they are read."""
        rules, n_best = self.rules(), self.decoding.n_best
        if not isinstance(network, BothWays):
            return self._searched(network, reading, batch, n_best)
        proposed = [
            self._searched(way, own, batch, rules.beam_size) for way, own in network.apart(reading)
        ]
        rows = [
            list(dict.fromkeys(tuple(one.symbols) for found in both for one in found))
            for both in zip(*proposed, strict=True)
        ]
        return [found[:n_best] for found in judged(network, reading, rows, rules)]

    def _searched(
        self, network: Network, reading: Reading, batch: PairBatch, n_best: int
    ) -> list[list[Found]]:
        step, state = self.writer(network, reading, batch)
        found = search_several(step, state, self.limits(batch), self.rules(), n_best=n_best)
        if not network.right_to_left:
            return found
        return [[replace(one, symbols=one.symbols[::-1]) for one in row] for row in found]

    def rules(self) -> Rules:
        """What the search goes by."""
        options = self.decoding
        return Rules(
            START, END, options.beam_size, options.length_penalty, options.length_normalisation
        )
