"""`transduce`: one sequence in, another one out, such as spelling to pronunciation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from cellwise.data.batches import in_chunks, lengths_of, pad, plan_in_order
from cellwise.data.cmu import read_cmudict
from cellwise.data.columns import TextPair, read_pairs
from cellwise.data.vocabulary import END, PAD, START, Vocabulary
from cellwise.errors import DataError
from cellwise.heads.search import Found, Rules, search
from cellwise.losses.cross_entropy import cross_entropy
from cellwise.tasks.base import Advance, Answer, Part, Task, device_of
from cellwise.tasks.encoder_decoder import EncoderDecoder, Reading
from cellwise.tasks.error_rates import bleu, sequence_error_rate, token_error_rate
from cellwise.tasks.parts import read_parts
from cellwise.tasks.transduce_config import (
    TransduceData,
    TransduceDecoding,
    TransduceModel,
    Unit,
)

Symbols = tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """A source and the targets that are right for it: one in training, all in evaluation."""

    source: Symbols
    targets: tuple[Symbols, ...]


@dataclass(frozen=True)
class PairBatch:
    """Pairs as tensors: source `[S, B]`, lengths `[B]`, before and after `[T, B]`.

    `before` is the target after a start mark, `after` the target before an end mark. Of either,
    `target_lengths` `[B]` steps are real, and `n_units` symbols in all.
    """

    source: Tensor
    lengths: Tensor
    before: Tensor
    after: Tensor
    target_lengths: Tensor
    n_units: int

    def to(self, device: torch.device) -> PairBatch:
        """The same batch on a device."""
        return PairBatch(
            self.source.to(device),
            self.lengths.to(device),
            self.before.to(device),
            self.after.to(device),
            self.target_lengths.to(device),
            self.n_units,
        )


class Transduce(Task[Pair, PairBatch]):
    """Sequence to sequence with an encoder, attention and a decoder, of any cell."""

    name = "transduce"
    summary = (
        "turn one sequence into another: pronunciation, transliteration, spelling, translation"
    )
    Data = TransduceData
    Model = TransduceModel
    Decoding = TransduceDecoding
    metric = "token_error_rate"
    goal = "min"

    data: TransduceData
    model: TransduceModel
    decoding: TransduceDecoding

    def read(self, part: Part) -> list[Pair]:
        """The pairs of a part; none for a test part that the configuration does not name."""
        texts = self._parts[part]
        if part != "train":
            return self._grouped(texts)
        pairs = [self._pair(text) for text in texts]
        most = self.data.max_length
        kept = [p for p in pairs if max(len(p.source), len(p.targets[0])) <= most]
        if not kept:
            raise DataError(f"every training pair is longer than data.max_length = {most} symbols")
        return kept

    def read_file(self, path: Path) -> list[Pair]:
        """The pairs of a two-column file, all targets of a source together."""
        return self._grouped(read_pairs(path))

    def fit(self, train: Sequence[Pair]) -> None:
        """Build the vocabularies of both sides."""
        least = self.data.min_count
        self.sources = Vocabulary.build((pair.source for pair in train), min_count=least)
        self.targets = Vocabulary.build((t for p in train for t in p.targets), min_count=least)

    def vocabularies(self) -> dict[str, Any]:
        """The vocabularies of both sides as JSON values."""
        return {"source": self.sources.to_json(), "target": self.targets.to_json()}

    def restore(self, vocabularies: dict[str, Any]) -> None:
        """Take the vocabularies of a saved run over."""
        self.sources = Vocabulary.from_json(vocabularies["source"])
        self.targets = Vocabulary.from_json(vocabularies["target"])

    def build(self) -> EncoderDecoder:
        """A fresh model for the vocabularies at hand."""
        return EncoderDecoder(self.model, len(self.sources), len(self.targets))

    def size(self, example: Pair) -> int:
        """By the source's length, then the target's: little padding on both sides."""
        return len(example.source) * 1000 + len(example.targets[0])

    def collate(self, examples: Sequence[Pair]) -> PairBatch:
        """The tensors of a batch; of several targets the first one counts."""
        sources = [self.sources.encode(pair.source) for pair in examples]
        targets = [self.targets.encode(pair.targets[0]) for pair in examples]
        before = [[START, *target] for target in targets]
        return PairBatch(
            pad(sources, PAD),
            lengths_of(sources),
            pad(before, PAD),
            pad([[*target, END] for target in targets], PAD),
            lengths_of(before),
            sum(map(len, before)),
        )

    def loss(self, model: nn.Module, batch: PairBatch) -> tuple[Tensor, int]:
        """The cross-entropy of the targets, their end marks included."""
        logits = model(batch.source, batch.lengths, batch.before, batch.target_lengths)
        return cross_entropy(logits, batch.after, ignore=PAD), batch.n_units

    def evaluate(
        self, model: nn.Module, examples: Sequence[Pair], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        """Error rates and BLEU of the answers, each source once, and the loss per symbol."""
        if not examples:
            raise DataError("there is no pair to evaluate on")
        network = cast(EncoderDecoder, model)
        given = Counter(pair.source for pair in examples)
        pairs = _merge(examples)
        answers: list[Symbols] = [()] * len(pairs)
        nats, n_units = 0.0, 0
        for rows in plan_in_order([len(pair.source) for pair in pairs], batch_size):
            batch = self.collate([pairs[i] for i in rows]).to(device_of(model))
            reading = network.encode(batch.source, batch.lengths)
            logits = network.logits(reading, batch.before, batch.target_lengths)
            nats += float(cross_entropy(logits, batch.after, ignore=PAD))
            n_units += batch.n_units
            for i, found in zip(rows, self._search(network, reading, batch.lengths), strict=True):
                answers[i] = tuple(self.targets.decode(found.symbols))
            advance(sum(given[pairs[i].source] for i in rows))
        references = [pair.targets for pair in pairs]
        return {
            "loss": nats / n_units,
            "token_error_rate": token_error_rate(answers, references),
            "sequence_error_rate": sequence_error_rate(answers, references),
            "bleu": bleu(answers, references),
        }

    def predict(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Answer]:
        """The best target of each line. A list is answered in batches, a stream line by line."""
        size = self.decoding.batch_size if isinstance(lines, Sequence) else 1
        for chunk in in_chunks(lines, size):
            yield from self._answers(model, [line.strip() for line in chunk])

    def _answers(self, model: nn.Module, texts: Sequence[str]) -> list[Answer]:
        sources = [self._source(text) for text in texts]
        asked = [Pair(source, ((),)) for source in sources if source]
        found: Iterator[Found] = iter(())
        if asked:
            network, batch = cast(EncoderDecoder, model), self.collate(asked).to(device_of(model))
            with torch.no_grad():
                reading = network.encode(batch.source, batch.lengths)
                found = iter(self._search(network, reading, batch.lengths))
        return [
            self._answer(text, next(found) if source else Found([], 0.0))
            for text, source in zip(texts, sources, strict=True)
        ]

    def _answer(self, text: str, found: Found) -> Answer:
        symbols = self.targets.decode(found.symbols)
        output, score = _joined(symbols, self.data.target_unit), found.log_probability
        record = {
            "source": text,
            "output": output,
            "symbols": symbols,
            "log_probability": score if math.isfinite(score) else None,
        }
        return Answer(output, record)

    def _search(self, network: EncoderDecoder, reading: Reading, lengths: Tensor) -> list[Found]:
        options = self.decoding
        limits = (lengths * options.max_length_ratio).long() + 10
        rules = Rules(START, END, options.beam_size, options.length_penalty)
        return search(network.stepper(reading.memory), reading.state, limits, rules)

    @cached_property
    def _parts(self) -> dict[Part, list[TextPair]]:
        if self.data.source == "cmudict":
            return read_cmudict()
        return read_parts(self.data, read_pairs, key=lambda pair: pair.source, what="sources")

    def _source(self, text: str) -> Symbols:
        return _cut(text.lower() if self.data.lowercase else text, self.data.source_unit)

    def _pair(self, text: TextPair) -> Pair:
        return Pair(self._source(text.source), (_cut(text.target, self.data.target_unit),))

    def _grouped(self, texts: Sequence[TextPair]) -> list[Pair]:
        return _merge([self._pair(text) for text in texts])


def _merge(pairs: Sequence[Pair]) -> list[Pair]:
    """Each source once, with all its targets, in the order of first occurrence."""
    targets: dict[Symbols, dict[Symbols, None]] = {}
    for pair in pairs:
        targets.setdefault(pair.source, {}).update(dict.fromkeys(pair.targets))
    return [Pair(source, tuple(rights)) for source, rights in targets.items()]


def _cut(text: str, unit: Unit) -> Symbols:
    return tuple(text) if unit == "characters" else tuple(text.split())


def _joined(symbols: Sequence[str], unit: Unit) -> str:
    return ("" if unit == "characters" else " ").join(symbols)
