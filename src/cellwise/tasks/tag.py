"""`tag`: a label for every token, or labels that mark spans: parts of speech, chunks, names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from cellwise.data.batches import in_chunks, lengths_of, pad, plan_in_order
from cellwise.data.columns import TAGGED, Tagged, read_tagged
from cellwise.data.conllu import read_conllu
from cellwise.data.symbols import Symbols
from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.errors import ConfigError, DataError
from cellwise.tasks.base import Advance, Answer, Part, Report, Task, device_of
from cellwise.tasks.class_scores import check_known
from cellwise.tasks.parts import Parts, read_parts
from cellwise.tasks.spans import SpanScores, labels_of, rewritten, spans_of, transitions
from cellwise.tasks.tag_answers import answer
from cellwise.tasks.tag_config import TagData, TagDecoding, TagModel
from cellwise.tasks.word_tagger import NO_LABEL, Sentences, WordTagger, spell
from cellwise.tasks.word_vectors import VectorFile, WordVectors, take_vectors

Tokens = tuple[str, ...]


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
    unit = "tokens"

    data: TagData
    model: TagModel
    decoding: TagDecoding

    def __init__(self, data: TagData, model: TagModel, decoding: TagDecoding):
        super().__init__(data, model, decoding)
        if data.scheme != "none":
            self.metric = "span_f1"

    def read(self, part: Part) -> Sequence[Tagged]:
        """The sentences of a part; none for a test part that the configuration does not name."""
        return self._parts[part]

    def read_file(self, path: Path) -> list[Tagged]:
        """The sentences of a file in the configured format, their labels in the scheme."""
        return list(self._each(path))

    def _each(self, path: Path) -> Iterator[Tagged]:
        if self.data.format == "conllu":
            sentences = read_conllu(path, self.data.column)
        else:
            sentences = read_tagged(path)
        return (self._in_scheme(s, path, number) for number, s in enumerate(sentences, 1))

    def fit(self, train: Sequence[Tagged]) -> None:
        """Build the vocabularies of words, characters and labels, and read the file of vectors."""
        words = Vocabulary.build(
            (self._folded(s.tokens) for s in train), min_count=self.data.min_count
        )
        self.characters = Vocabulary.build(token for s in train for token in s.tokens)
        self.labels = Vocabulary.build((s.labels for s in train), specials=())
        size, key = self.model.word_embedding_size, "model.word_embedding_size"
        if not size and not self.data.vectors:
            raise ConfigError(
                f"{key} can be 0 only where data.vectors names a file of word vectors"
            )
        file = VectorFile(self.data.vectors, self.data.more_words, self.data.lowercase)
        self._vectors = take_vectors(words, file, size=size, key=key, tell=self.tell)

    def check(self, examples: Sequence[Tagged]) -> None:
        """Refuse examples without any label that training had.

        Raises:
            DataError: there is none.
        """
        labels = (label for s in examples for label in s.labels)
        check_known(labels, self.labels.symbols, of="sentences")

    def vocabularies(self) -> dict[str, Any]:
        """The vocabularies, and the size of word vectors, as JSON values."""
        return {
            "words": self.words.to_json(),
            "characters": self.characters.to_json(),
            "labels": self.labels.to_json(),
            "word_embedding_size": self._vectors.size,
        }

    def restore(self, vocabularies: dict[str, Any]) -> None:
        """Take the vocabularies of a saved run over."""
        size = vocabularies.get("word_embedding_size", self.model.word_embedding_size)
        self._vectors = WordVectors(Vocabulary.from_json(vocabularies["words"]), int(size))
        self.characters = Vocabulary.from_json(vocabularies["characters"])
        self.labels = Vocabulary.from_json(vocabularies["labels"])

    @property
    def words(self) -> Vocabulary:
        """The words that the model knows."""
        return self._vectors.words

    def build(self) -> WordTagger:
        """A fresh model for the vocabularies at hand."""
        return WordTagger(
            self.model, self._vectors, self.characters, len(self.labels), allowed=self._allowed
        )

    def size(self, example: Tagged) -> int:
        """The tokens of a sentence."""
        return len(example.tokens)

    def collate(self, examples: Sequence[Tagged]) -> TaggedBatch:
        """The tensors of a batch; a label that training did not have is -1."""
        labels = [[self._label(label) for label in s.labels] for s in examples]
        return TaggedBatch(
            self._sentences([s.tokens for s in examples]),
            pad(labels, NO_LABEL),
            sum(label != NO_LABEL for row in labels for label in row),
        )

    def loss(self, model: nn.Module, batch: TaggedBatch) -> tuple[Tensor, int]:
        """The negative log-likelihood of the labels."""
        nats = cast(WordTagger, model).nats
        return nats(model(batch.sentences), batch.labels, batch.sentences.lengths), batch.n_units

    def evaluate(
        self, model: nn.Module, examples: Sequence[Tagged], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        """The share of right labels: of all tokens, of words that the model knows, and of others.

        Words that training held fewer than `data.min_count` times are not known.

        A share of no tokens at all is left out. Where labels mark spans, also the share of right
        ones among those that the model gives (precision), among those that it should (recall), and
        the harmonic mean of both (F1).

        Raises:
            DataError: there is no sentence, or no label of any sentence is one of training.
        """
        return self.report(model, examples, batch_size=batch_size, advance=advance).metrics

    def report(
        self, model: nn.Module, examples: Sequence[Tagged], *, batch_size: int, advance: Advance
    ) -> Report:
        """The metrics of `evaluate`, and the scores of each kind of span."""
        if not examples:
            raise DataError("there is no sentence to evaluate on")
        self.check(examples)
        found, loss = self._tagged(model, examples, batch_size, advance)
        right = [self._outward(sentence.labels) for sentence in examples]
        metrics = {"loss": loss, **self._accuracies(examples, right, found)}
        if self.data.scheme == "none":
            return Report(metrics)
        scores = SpanScores()
        for wanted, given in zip(right, found, strict=True):
            scores.add(spans_of(wanted), spans_of(given))
        return Report({**metrics, **scores.metrics()}, scores=scores.of_kinds())

    def predict(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Answer]:
        """Each line as `token/LABEL token/LABEL …`.

        A list is answered in batches, a stream line by line.
        """
        for chunk in self._cut(lines):
            found = iter(self._labels_of(model, [tokens for tokens in chunk if tokens]))
            for tokens in chunk:
                labels = next(found) if tokens else []
                spans = None if self.data.scheme == "none" else spans_of(labels)
                yield answer(tokens, labels, spans)

    def encode(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Tensor]:
        """For each line the mean of what the layers say of its tokens; zeros if it has none."""
        tagger = cast(WordTagger, model)
        for chunk in self._cut(lines):
            means = torch.zeros(len(chunk), tagger.head.linear.in_features)
            rows = [row for row, tokens in enumerate(chunk) if tokens]
            if rows:
                batch = self._sentences([chunk[row] for row in rows]).to(device_of(model))
                sums = tagger.read(batch).sum(0)
                means[rows] = (sums / batch.lengths[:, None]).to(means)
            yield from means

    def _tagged(
        self, model: nn.Module, examples: Sequence[Tagged], batch_size: int, advance: Advance
    ) -> tuple[list[list[str]], float]:
        """The labels that the model gives each sentence, and the mean loss of the right ones.

        Labels that training did not have are left out of the mean.
        """
        tagger = cast(WordTagger, model)
        found: list[list[str]] = [[]] * len(examples)
        nats, n_known = 0.0, 0
        for rows in plan_in_order([self.size(s) for s in examples], batch_size):
            batch = self.collate([examples[i] for i in rows]).to(device_of(model))
            scores = tagger(batch.sentences)
            nats += float(tagger.nats(scores, batch.labels, batch.sentences.lengths))
            n_known += batch.n_units
            numbers = tagger.decode(scores, batch.sentences.lengths)
            for i, row in zip(rows, numbers, strict=True):
                found[i] = self._outward(self.labels.decode(row))
            advance(len(rows))
        return found, nats / n_known

    def _labels_of(self, model: nn.Module, sentences: Sequence[Tokens]) -> list[list[str]]:
        if not sentences:
            return []
        batch = self._sentences(sentences).to(device_of(model))
        with torch.no_grad():
            numbers = cast(WordTagger, model).decode(model(batch), batch.lengths)
        return [self._outward(self.labels.decode(row)) for row in numbers]

    def _accuracies(
        self,
        examples: Sequence[Tagged],
        right: Sequence[Sequence[str]],
        found: Sequence[Sequence[str]],
    ) -> dict[str, float]:
        hits = [
            (self._was_trained(token), label == given)
            for sentence, labels, answers in zip(examples, right, found, strict=True)
            for token, label, given in zip(
                self._folded(sentence.tokens), labels, answers, strict=True
            )
        ]
        shares = {
            "accuracy": [hit for _, hit in hits],
            "accuracy_known": [hit for known, hit in hits if known],
            "accuracy_unknown": [hit for known, hit in hits if not known],
        }
        return {name: sum(share) / len(share) for name, share in shares.items() if share}

    def _was_trained(self, word: str) -> bool:
        """Whether training held a word; a file of vectors may know more."""
        return word in self.words and self.words.count(self.words.encode([word])[0]) > 0

    def _cut(self, lines: Iterable[str]) -> Iterator[list[Tokens]]:
        """The tokens of lines, so many together as are answered together."""
        symbols = Symbols("tokens" if self.decoding.tokenize else "words")
        size = self.decoding.batch_size if isinstance(lines, Sequence) else 1
        for chunk in in_chunks(lines, size):
            yield [symbols.cut(line) for line in chunk]

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

    def _in_scheme(self, sentence: Tagged, path: Path, number: int) -> Tagged:
        """A sentence with labels as the model learns them."""
        if self.data.scheme == "none":
            return sentence
        try:
            return replace(sentence, labels=rewritten(sentence.labels, self.data.scheme))
        except DataError as error:
            raise DataError(f"{path}, sentence {number}: {error}") from error

    def _outward(self, labels: Sequence[str]) -> list[str]:
        """Labels as people see them: those of spans well-formed, and in BIO."""
        if self.data.scheme == "none":
            return list(labels)
        return labels_of(spans_of(labels), len(labels), "bio")

    @property
    def _allowed(self) -> Tensor | None:
        """Which label may come after which, where that is known."""
        if self.data.scheme == "none":
            return None
        return torch.tensor(transitions(self.labels.symbols, self.data.scheme))

    def _label(self, label: str) -> int:
        return self.labels.encode([label])[0] if label in self.labels else NO_LABEL

    def _folded(self, tokens: Sequence[str]) -> list[str]:
        return [token.lower() for token in tokens] if self.data.lowercase else list(tokens)

    @cached_property
    def _parts(self) -> Parts[Sequence[Tagged]]:
        return read_parts(
            self.data,
            self._each,
            key=lambda sentence: " ".join(sentence.tokens),
            what="sentences",
            form=TAGGED,
            passing=self.passing,
        )
