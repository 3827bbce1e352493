"""`converse`: answers in a dialogue, from the turns before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from cellwise.data.batches import plan_in_order
from cellwise.data.dialogues import DIALOGUE, Dialogue, read_dialogues
from cellwise.data.lines import at_least_one
from cellwise.data.vocabulary import PAD
from cellwise.errors import DataError
from cellwise.heads.mutual_information import mutual_information
from cellwise.heads.search import State, Step
from cellwise.losses.perplexity import perplexity
from cellwise.tasks.attentive_decoder import Reading
from cellwise.tasks.base import Advance, Part, Report, Section, device_of
from cellwise.tasks.converse_config import (
    ConverseData,
    ConverseDecoding,
    ConverseModel,
    check_converse,
)
from cellwise.tasks.distinct import distinct
from cellwise.tasks.encoder_decoder import EncoderDecoder
from cellwise.tasks.pairs import Pair, PairBatch
from cellwise.tasks.parts import Parts, read_parts
from cellwise.tasks.transduce import Network, Transduce
from cellwise.tasks.transduce_scores import Cut
from cellwise.tasks.translation_scores import corpus_bleu

TURN = "¶"
"""The symbol that begins each turn of a context."""


class Converse(Transduce):
    """An answer to the turns of a dialogue before it.

    Source: Vinyals and Le 2015, "A neural conversational model" (arXiv:1506.05869); the turns
    before as one sequence after Sordoni et al. 2015 (arXiv:1506.06714), with attention over it.
    """

    name = "converse"
    summary = "answer in a dialogue, from the turns before"
    Data = ConverseData
    Model = ConverseModel
    Decoding = ConverseDecoding
    metric = "loss"

    data: ConverseData  # type: ignore[assignment]
    model: ConverseModel
    decoding: ConverseDecoding

    def __init__(self, data: Section, model: Section, decoding: Section):
        super().__init__(data, model, decoding)
        check_converse(self.model, self.decoding)

    # From dialogues to pairs.

    def read(self, part: Part) -> Sequence[Pair]:
        """The turns of a part with what was said before each."""
        pairs = (pair for dialogue in self._dialogues[part] for pair in self._turns(dialogue))
        if part != "train":
            return list(pairs)
        alone = "every dialogue of data.train has one turn alone: there is no answer"
        return self.short_ones(at_least_one(pairs, alone))

    def read_file(self, path: Path) -> list[Pair]:
        """The turns of a file of dialogues with what was said before each."""
        return [pair for dialogue in read_dialogues(path) for pair in self._turns(dialogue)]

    @cached_property
    def _dialogues(self) -> Parts[Sequence[Dialogue]]:
        return read_parts(
            self.data,
            read_dialogues,
            key=" ".join,
            what="dialogues",
            form=DIALOGUE,
            passing=self.passing,
        )

    def _turns(self, dialogue: Dialogue) -> Iterator[Pair]:
        folded = [turn.lower() if self.data.lowercase else turn for turn in dialogue]
        for place in range(1, len(folded)):
            yield Pair(self._context(folded[:place]), (folded[place],))

    def _context(self, turns: Sequence[str]) -> str:
        return " ".join(f"{TURN} {turn}" for turn in turns[-self.data.context_turns :])

    def folded(self, text: str) -> str:
        """A context as it is read: turns between tabs, or one that is put together already."""
        if text.startswith(TURN):
            return text
        turns = [" ".join(turn.split()) for turn in text.split("\t")]
        context = self._context([turn for turn in turns if turn])
        return context.lower() if self.data.lowercase else context

    def grouped(self, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """The pairs as they are: every turn is judged."""
        return pairs

    def cut_source(self, text: str) -> Cut:
        """The last symbols of a context, a mark before each turn."""
        return self.source_symbols.cut(text)[-self.data.max_length :]

    def _is_short(self, pair: Pair) -> bool:
        return len(pair.targets[0].split()) <= self.data.max_length

    # Learning and judging.

    def loss(self, model: nn.Module, batch: PairBatch) -> tuple[Tensor, int]:
        """The cross-entropy of the answers; some contexts are hidden."""
        return super().loss(model, self._hidden(batch) if self.model.context_dropout else batch)

    def _hidden(self, batch: PairBatch) -> PairBatch:
        """The batch with some contexts that say nothing."""
        rows = torch.rand(len(batch.lengths), device=batch.source.device)
        nothing = self._nothing(batch)
        return replace(
            batch,
            source=torch.where(rows < self.model.context_dropout, nothing.source, batch.source),
            lengths=torch.where(rows < self.model.context_dropout, nothing.lengths, batch.lengths),
        )

    def _nothing(self, batch: PairBatch) -> PairBatch:
        """A batch of as many contexts of which each is one mark."""
        source = torch.full_like(batch.source, PAD)
        source[0] = self.sources.encode([TURN])[0]
        return replace(batch, source=source, lengths=torch.ones_like(batch.lengths))

    @property
    def score_name(self) -> str:
        """With mutual information answers are ranked by what is no log probability any more."""
        return "score" if self.decoding.mutual_information else super().score_name

    def report(
        self, model: nn.Module, examples: Sequence[Pair], *, batch_size: int, advance: Advance
    ) -> Report:
        """The perplexity of all turns, and how some answers compare with them."""
        if not examples:
            raise DataError("there is no turn to evaluate on that has one before it")
        network = cast(EncoderDecoder, model)
        nats, n_units = 0.0, 0
        for rows in plan_in_order([self.size(pair) for pair in examples], batch_size):
            batch = self.collate([examples[i] for i in rows]).to(device_of(model))
            nats += float(self._nats(network, self._read_all(network, batch), batch))
            n_units += batch.n_units
            advance(len(rows))
        found = {"loss": nats / n_units, "perplexity": perplexity(nats / n_units)}
        judged = examples[: self.decoding.judged_answers]
        if not judged:
            return Report(found)
        answers = [
            self.cut_target(answer.text)
            for answer in self.predict(model, [pair.source for pair in judged])
        ]
        varied = {f"distinct_{n}": distinct(answers, n) for n in (1, 2)}
        texts = [self.target_symbols.join(answer) for answer in answers]
        bleu, signature = corpus_bleu(texts, [pair.targets for pair in judged])
        return Report({**found, **varied, "bleu": bleu}, {"bleu_signature": signature})

    # Answering.

    def limits(self, batch: PairBatch) -> Tensor:
        """The most symbols that an answer may have, int64 `[B]`."""
        return torch.full_like(batch.lengths, self.decoding.max_answer)

    def writer(self, network: Network, reading: Reading, batch: PairBatch) -> tuple[Step, State]:
        """The decoder, which weighs answers against what would be said to nothing, if asked."""
        informed = super().writer(network, reading, batch)
        if not self.decoding.mutual_information:
            return informed
        blind = super().writer(network, self._read_all(network, self._nothing(batch)), batch)
        return mutual_information(
            informed,
            blind,
            torch.zeros(1, len(batch.lengths), 1, device=batch.lengths.device),
            weight=self.decoding.mutual_information,
            n_symbols=self.decoding.mutual_symbols,
        )
