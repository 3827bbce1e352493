"""`tag`: a label for every token: parts of speech, chunks, names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cellwise.data.batches import in_chunks, lengths_of, pad, plan_in_order
from cellwise.data.columns import Tagged, read_tagged
from cellwise.data.conllu import read_conllu
from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.errors import DataError
from cellwise.losses.cross_entropy import cross_entropy
from cellwise.tasks.base import Advance, Answer, Part, Task, device_of
from cellwise.tasks.parts import read_parts
from cellwise.tasks.tag_config import TagData, TagDecoding, TagModel
from cellwise.tasks.word_tagger import Sentences, WordTagger, spell

NO_LABEL = -1


@dataclass(frozen=True)
class TaggedBatch:
    """Sentences with labels `[T, B]` (-1 at padding), and how many tokens they hold."""

    sentences: Sentences
    labels: Tensor
    n_units: int

    def to(self, device: torch.device) -> TaggedBatch:
        """The same batch on a device."""
        return TaggedBatch(self.sentences.to(device), self.labels.to(device), self.n_units)


class Tag(Task[Tagged, TaggedBatch]):
    """A label for every token of a sentence, from words and characters, with any cell."""

    name = "tag"
    summary = "label every token of a sentence: parts of speech, chunks, names"
    Data = TagData
    Model = TagModel
    Decoding = TagDecoding
    metric = "accuracy"
    goal = "max"

    data: TagData
    model: TagModel
    decoding: TagDecoding

    def read(self, part: Part) -> list[Tagged]:
        """The sentences of a part; none for a test part that the configuration does not name."""
        return self._parts[part]

    def read_file(self, path: Path) -> list[Tagged]:
        """The sentences of a file in the configured format."""
        if self.data.format == "conllu":
            return read_conllu(path, self.data.column)
        return read_tagged(path)

    def fit(self, train: Sequence[Tagged]) -> None:
        """Build the vocabularies of words, characters and labels."""
        self.words = Vocabulary.build(
            (self._folded(s.tokens) for s in train), min_count=self.data.min_count
        )
        self.characters = Vocabulary.build(token for s in train for token in s.tokens)
        self.labels = Vocabulary.build((s.labels for s in train), specials=())

    def vocabularies(self) -> dict[str, Any]:
        """The vocabularies of words, characters and labels as JSON values."""
        return {
            "words": self.words.to_json(),
            "characters": self.characters.to_json(),
            "labels": self.labels.to_json(),
        }

    def restore(self, vocabularies: dict[str, Any]) -> None:
        """Take the vocabularies of a saved run over."""
        self.words = Vocabulary.from_json(vocabularies["words"])
        self.characters = Vocabulary.from_json(vocabularies["characters"])
        self.labels = Vocabulary.from_json(vocabularies["labels"])

    def build(self) -> WordTagger:
        """A fresh model for the vocabularies at hand."""
        return WordTagger(self.model, self.words, self.characters, self.labels)

    def size(self, example: Tagged) -> int:
        """The tokens of a sentence."""
        return len(example.tokens)

    def collate(self, examples: Sequence[Tagged]) -> TaggedBatch:
        """The tensors of a batch; a label that training did not have is -1."""
        labels = [[self._label(label) for label in s.labels] for s in examples]
        return TaggedBatch(
            self._sentences([s.tokens for s in examples]),
            pad(labels, NO_LABEL),
            sum(len(row) for row in labels),
        )

    def loss(self, model: nn.Module, batch: TaggedBatch) -> tuple[Tensor, int]:
        """The cross-entropy of the labels."""
        return cross_entropy(model(batch.sentences), batch.labels, ignore=NO_LABEL), batch.n_units

    def evaluate(
        self, model: nn.Module, examples: Sequence[Tagged], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        """The share of right labels: of all tokens, of words that training held, and of the others.

        A share of no tokens at all is left out.

        Raises:
            DataError: there is no sentence, or no label of any sentence is one of training.
        """
        if not examples:
            raise DataError("there is no sentence to evaluate on")
        self._check_labels(examples)
        answers, nats = self._tagged(model, examples, batch_size, advance)
        hits = [
            (token in self.words, label == answer)
            for sentence, found in zip(examples, answers, strict=True)
            for token, label, answer in zip(
                self._folded(sentence.tokens), sentence.labels, found, strict=True
            )
        ]
        shares = {
            "accuracy": [right for _, right in hits],
            "accuracy_known": [right for known, right in hits if known],
            "accuracy_unknown": [right for known, right in hits if not known],
        }
        accuracies = {name: sum(rights) / len(rights) for name, rights in shares.items() if rights}
        return {"loss": nats / len(hits), **accuracies}

    def _tagged(
        self, model: nn.Module, examples: Sequence[Tagged], batch_size: int, advance: Advance
    ) -> tuple[list[list[str]], float]:
        """The labels that the model gives each sentence, and the summed loss of the right ones."""
        answers: list[list[str]] = [[]] * len(examples)
        nats = 0.0
        for rows in plan_in_order([self.size(s) for s in examples], batch_size):
            chosen = [examples[i] for i in rows]
            batch = self.collate(chosen).to(device_of(model))
            logits = model(batch.sentences)
            nats += float(cross_entropy(logits, batch.labels, ignore=NO_LABEL))
            for i, found in zip(rows, self._read_off(logits, chosen), strict=True):
                answers[i] = found
            advance(len(rows))
        return answers, nats

    def predict(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Answer]:
        """Each line, tokens separated by blanks, as `token/LABEL token/LABEL …`.

        A list is answered in batches, a stream line by line.
        """
        size = self.decoding.batch_size if isinstance(lines, Sequence) else 1
        for chunk in in_chunks(lines, size):
            yield from self._answers(model, [tuple(line.split()) for line in chunk])

    def _answers(self, model: nn.Module, sentences: Sequence[tuple[str, ...]]) -> list[Answer]:
        asked = [Tagged(tokens, ()) for tokens in sentences if tokens]
        found: Iterator[list[str]] = iter(())
        if asked:
            batch = self._sentences([s.tokens for s in asked]).to(device_of(model))
            with torch.no_grad():
                found = iter(self._read_off(model(batch), asked))
        return [_answer(tokens, next(found) if tokens else []) for tokens in sentences]

    def _read_off(self, logits: Tensor, sentences: Sequence[Tagged]) -> list[list[str]]:
        """The most probable labels of each sentence."""
        columns = logits.argmax(dim=-1).T.tolist()
        return [
            self.labels.decode(column[: len(sentence.tokens)])
            for column, sentence in zip(columns, sentences, strict=True)
        ]

    def _sentences(self, sentences: Sequence[Sequence[str]]) -> Sentences:
        words = [self.words.encode(self._folded(tokens)) for tokens in sentences]
        spellings, rows = spell(sentences)
        characters = [self.characters.encode(token) for token in spellings]
        return Sentences(
            pad(words, PAD),
            lengths_of(words),
            pad(rows, 0),
            pad(characters, PAD),
            lengths_of(characters),
        )

    def _check_labels(self, examples: Sequence[Tagged]) -> None:
        found = dict.fromkeys(label for s in examples for label in s.labels)
        if found and not any(label in self.labels for label in found):
            raise DataError(
                "the model knows no label of these sentences: "
                f"they hold {_a_few(list(found))}, the model {_a_few(self.labels.symbols)}"
            )

    def _label(self, label: str) -> int:
        return self.labels.encode([label])[0] if label in self.labels else NO_LABEL

    def _folded(self, tokens: Sequence[str]) -> list[str]:
        return [token.lower() for token in tokens] if self.data.lowercase else list(tokens)

    @cached_property
    def _parts(self) -> dict[Part, list[Tagged]]:
        return read_parts(
            self.data, self.read_file, key=lambda s: " ".join(s.tokens), what="sentences"
        )


def _a_few(labels: Sequence[str]) -> str:
    return ", ".join(repr(label) for label in labels[:3]) + (", …" if len(labels) > 3 else "")


def _answer(tokens: Sequence[str], labels: Sequence[str]) -> Answer:
    text = " ".join(f"{token}/{label}" for token, label in zip(tokens, labels, strict=True))
    return Answer(text, {"tokens": list(tokens), "labels": list(labels)})
