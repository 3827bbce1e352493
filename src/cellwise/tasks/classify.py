"""`classify`: one class for a text, or several: topics, kinds of questions, sentiment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from cellwise.data.batches import in_chunks, lengths_of, pad, plan_in_order
from cellwise.data.labelled import Labelled
from cellwise.data.symbols import Symbols
from cellwise.data.vocabulary import PAD, Vocabulary
from cellwise.errors import DataError
from cellwise.losses.binary_cross_entropy import binary_cross_entropy
from cellwise.losses.cross_entropy import cross_entropy
from cellwise.tasks.base import Advance, Answer, Part, Report, Task, device_of
from cellwise.tasks.class_scores import Confusion, check_known, macro_f1, micro_f1, scores_of_sets
from cellwise.tasks.classify_answers import Labelling
from cellwise.tasks.classify_config import ClassifyData, ClassifyDecoding, ClassifyModel
from cellwise.tasks.classify_network import TextClassifier, Texts
from cellwise.tasks.classify_parts import read_all_parts, read_texts
from cellwise.tasks.parts import Parts
from cellwise.tasks.word_vectors import VectorFile, WordVectors, take_vectors

UNKNOWN_CLASS = -1
"""Stands for a class that the training data did not hold."""


@dataclass(frozen=True)
class TextBatch:
    """Texts, what is right for them, and how many texts the loss is a sum over.

    `right`: int64 `[B]`, -1 for a class that training did not hold; where texts may have several
    labels, float `[B, C]` of ones and zeros.
    """

    texts: Texts
    right: Tensor
    n_units: int

    def to(self, device: torch.device) -> TextBatch:
        """The same batch on a device."""
        return TextBatch(self.texts.to(device), self.right.to(device), self.n_units)


class Classify(Task[Labelled, TextBatch]):
    """A class for a text, or several labels, from recurrent layers of any cell."""

    name = "classify"
    summary = "give a text a class, or several labels: topic, kind of question, sentiment"
    Data = ClassifyData
    Model = ClassifyModel
    Decoding = ClassifyDecoding
    metric = "accuracy"
    goal = "max"
    unit = "texts"
    measure = "symbols"

    data: ClassifyData
    model: ClassifyModel
    decoding: ClassifyDecoding

    def __init__(self, data: ClassifyData, model: ClassifyModel, decoding: ClassifyDecoding):
        super().__init__(data, model, decoding)
        if data.multi_label:
            self.metric = "micro_f1"

    def read(self, part: Part) -> Sequence[Labelled]:
        """The texts of a part; none for a test part that the configuration does not give."""
        return self._parts[part]

    def read_file(self, path: Path) -> list[Labelled]:
        """The texts of a file in the configured format; of trees the whole sentences."""
        return read_texts(path, self.data)

    def fit(self, train: Sequence[Labelled]) -> None:
        """Build the vocabularies of symbols and labels, and read the file of vectors."""
        data = self.data
        self.symbols = Symbols.fit(
            data.unit,
            (example.text for example in train),
            n_subwords=data.n_subwords,
            lowercase=data.lowercase,
        )
        self.labels = Vocabulary.build((example.labels for example in train), specials=())
        if not self.labels.symbols:
            raise DataError(f"{data.train}: no text has a label")
        self._n_texts = len(train)
        words = Vocabulary.build(
            map(self._cut, train), min_count=data.min_count, known=self.symbols.learnt
        )
        asked = self.model.embedding_size
        asked = asked if data.vectors else asked or self.model.hidden_size
        file = VectorFile(data.vectors, data.more_words, data.lowercase)
        self._vectors = take_vectors(words, file, size=asked, tell=self.tell)

    def check(self, examples: Sequence[Labelled]) -> None:
        """Refuse examples without any label that training had.

        Raises:
            DataError: there is none.
        """
        labels = (label for example in examples for label in example.labels)
        check_known(labels, self.labels.symbols, of="texts")

    def vocabularies(self) -> dict[str, Any]:
        """Symbols, labels, the number of texts, and the size of vectors, as JSON values."""
        return {
            "symbols": self.symbols.to_json(),
            "words": self.words.to_json(),
            "labels": self.labels.to_json(),
            "texts": self._n_texts,
            "embedding_size": self._vectors.size,
        }

    def restore(self, vocabularies: dict[str, Any]) -> None:
        """Take the vocabularies of a saved run over."""
        self.symbols = Symbols.from_json(vocabularies["symbols"])
        words = Vocabulary.from_json(vocabularies["words"])
        self._vectors = WordVectors(words, int(vocabularies["embedding_size"]))
        self.labels = Vocabulary.from_json(vocabularies["labels"])
        self._n_texts = int(vocabularies["texts"])

    @property
    def words(self) -> Vocabulary:
        """The symbols that the model knows."""
        return self._vectors.words

    def build(self) -> TextClassifier:
        """A fresh model for the vocabularies at hand."""
        model = TextClassifier(
            self.model, self.words, len(self.labels), embedding_size=self._vectors.size
        )
        self._vectors.put_into(model.words)
        return model

    def size(self, example: Labelled) -> int:
        """The symbols of a text that are read."""
        return len(self._cut(example))

    def training_size(self, example: Labelled) -> int:
        """The symbols of a text, or of the stretch of it that training reads."""
        return min(self.size(example), self.model.crop or self.data.max_length)

    def collate(self, examples: Sequence[Labelled]) -> TextBatch:
        """The tensors of a batch; labels that training did not have are left out of the loss."""
        rows = [self.words.encode(self._cut(example)) for example in examples]
        texts = Texts(pad(rows, PAD), lengths_of(rows))
        number = self._number
        if self.data.multi_label:
            right = torch.zeros(len(examples), len(self.labels))
            for row, example in enumerate(examples):
                right[row, [number[label] for label in example.labels if label in number]] = 1.0
            return TextBatch(texts, right, len(examples))
        classes = [number.get(example.labels[0], UNKNOWN_CLASS) for example in examples]
        n_known = sum(known >= 0 for known in classes)
        return TextBatch(texts, torch.tensor(classes), n_known)

    def measured(self, batch: TextBatch) -> int:
        """The symbols that training reads."""
        most = self.model.crop or self.data.max_length
        return int(batch.texts.lengths.clamp(max=most).sum())

    def loss(self, model: nn.Module, batch: TextBatch) -> tuple[Tensor, int]:
        """The cross-entropy of the class, or of every label."""
        smoothing = self.model.label_smoothing
        weights = self._weights.to(batch.right.device) if self.model.class_weights else None
        nats = self._nats(model(batch.texts), batch.right, smoothing=smoothing, weights=weights)
        return nats, batch.n_units

    def evaluate(
        self, model: nn.Module, examples: Sequence[Labelled], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        """Accuracy and F1; where texts may have several labels, exact matches and two means of F1.

        The macro F1 is the mean of the classes' F1, the micro F1 that of all their counts together.

        Raises:
            DataError: there is no text, or no label of any is one of training.
        """
        return self.report(model, examples, batch_size=batch_size, advance=advance).metrics

    def report(
        self, model: nn.Module, examples: Sequence[Labelled], *, batch_size: int, advance: Advance
    ) -> Report:
        """As `evaluate`, with the scores of each class and, of one class a text, the confusion.

        Raises:
            DataError: as `evaluate` does.
        """
        if not examples:
            raise DataError("there is no text to evaluate on")
        self.check(examples)
        given: list[tuple[str, ...]] = [()] * len(examples)
        nats, n_units = 0.0, 0
        for rows in plan_in_order([self.size(example) for example in examples], batch_size):
            batch = self.collate([examples[i] for i in rows]).to(device_of(model))
            logits = model(batch.texts)
            nats += float(self._nats(logits, batch.right))
            n_units += batch.n_units
            for i, labels in zip(rows, self._labelling.given(logits), strict=True):
                given[i] = labels
            advance(len(rows))
        return self._judged([example.labels for example in examples], given, nats / n_units)

    def predict(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Answer]:
        """The class of each line, or its labels, with probabilities.

        A list is answered in batches, a stream line by line.
        """
        size = self.decoding.batch_size if isinstance(lines, Sequence) else 1
        for chunk in in_chunks(lines, size):
            yield from self._answers(model, [line.strip() for line in chunk])

    def encode(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Tensor]:
        """The vector of each text that its class is read off; zeros of a blank one."""
        network = cast(TextClassifier, model)
        nothing = network.words.weight.new_zeros(network.size)
        for chunk in in_chunks(lines, self.decoding.batch_size):
            asked = [line.strip() for line in chunk if line.strip()]
            found = network.encode(self._texts(asked).to(device_of(model))) if asked else ()
            vectors = iter(found)
            yield from (next(vectors) if line.strip() else nothing for line in chunk)

    def _answers(self, model: nn.Module, texts: Sequence[str]) -> Iterator[Answer]:
        asked = [text for text in texts if text]
        found: Iterator[Answer] = iter(())
        if asked:
            batch = self._texts(asked).to(device_of(model))
            with torch.no_grad():
                logits, weights = cast(TextClassifier, model).label(batch)
            tokens = [self.symbols.cut(text)[: self.data.max_length] for text in asked]
            found = self._labelling.answers(asked, logits, tokens, weights)
        for text in texts:
            yield next(found) if text else self._labelling.blank()

    def _judged(
        self, right: Sequence[tuple[str, ...]], given: Sequence[tuple[str, ...]], loss: float
    ) -> Report:
        if self.data.multi_label:
            scores = scores_of_sets(right, given, self.labels.symbols)
            exact = sum(set(r) == set(g) for r, g in zip(right, given, strict=True)) / len(right)
            shares = {"exact_match": exact, "micro_f1": micro_f1(scores)}
            return Report({"loss": loss, **shares, "macro_f1": macro_f1(scores)}, scores=scores)
        classes = self.labels.symbols
        confusion = Confusion.of([r for (r,) in right], [g for (g,) in given], classes=classes)
        scores = confusion.scores()
        metrics = {"loss": loss, "accuracy": confusion.accuracy, "macro_f1": macro_f1(scores)}
        return Report(metrics, scores=scores, confusion=confusion)

    def _nats(
        self,
        logits: Tensor,
        right: Tensor,
        *,
        smoothing: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        if self.data.multi_label:
            return binary_cross_entropy(logits, right, smoothing=smoothing, weights=weights)
        return cross_entropy(
            logits, right, ignore=UNKNOWN_CLASS, smoothing=smoothing, weights=weights
        )

    def _texts(self, texts: Sequence[str]) -> Texts:
        return self.collate([Labelled(text, self.labels.symbols[:1]) for text in texts]).texts

    def _cut(self, example: Labelled) -> tuple[str, ...]:
        return self.symbols.cut(example.text)[: self.data.max_length]

    @cached_property
    def _weights(self) -> Tensor:
        """For each class a number that is greater the rarer it is; their mean over texts is 1.

        Where texts may have several labels, those without a label weigh as much as those with it.
        """
        counts = torch.tensor(self.labels.counts, dtype=torch.float32)
        if self.data.multi_label:
            return (self._n_texts - counts).clamp(min=1) / counts
        return counts.sum() / (len(counts) * counts)

    @property
    def _number(self) -> dict[str, int]:
        return {label: number for number, label in enumerate(self.labels.symbols)}

    @property
    def _labelling(self) -> Labelling:
        threshold = self.decoding.threshold if self.data.multi_label else None
        return Labelling(self.labels.symbols, threshold)

    @cached_property
    def _parts(self) -> Parts[Sequence[Labelled]]:
        return read_all_parts(self.data, self.passing)
