"""`compose`: a class for every phrase of a tree, or for the whole: sentiment, party, category."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from cellwise.brackets import Tree
from cellwise.data.batches import in_chunks, plan_in_order, until_trouble
from cellwise.data.trees import TREE, read_trees
from cellwise.data.trees_reshape import own_name
from cellwise.data.vocabulary import Vocabulary
from cellwise.errors import ConfigError, DataError, ShapeError
from cellwise.layers.arguments import as_cell
from cellwise.losses.cross_entropy import cross_entropy
from cellwise.structures.forest import Forest
from cellwise.tasks.base import Advance, Answer, Part, Task, device_of
from cellwise.tasks.class_scores import check_known
from cellwise.tasks.compose_answers import Scale, answer, empty
from cellwise.tasks.compose_config import ComposeData, ComposeDecoding, ComposeModel
from cellwise.tasks.compose_network import Phrases, TreeClassifier
from cellwise.tasks.compose_scores import (
    NONE,
    UNKNOWN,
    UNKNOWN_NEGATIVE,
    UNKNOWN_POSITIVE,
    Scores,
)
from cellwise.tasks.compose_trees import (
    NO_CLASS,
    Fitting,
    check_classes,
    read_line,
    reads_left_and_right,
)
from cellwise.tasks.parts import Parts, read_parts
from cellwise.tasks.word_vectors import VectorFile, WordVectors, take_vectors


@dataclass(frozen=True)
class LabelledBatch:
    """Trees with classes `[N]` (below 0 where there is none), and how many nodes have one."""

    phrases: Phrases
    classes: Tensor
    n_units: int

    def to(self, device: torch.device) -> LabelledBatch:
        """The same batch on a device."""
        return LabelledBatch(self.phrases.to(device), self.classes.to(device), self.n_units)


class Compose(Task[Tree, LabelledBatch]):
    """A class for every node of a constituent tree, or for its root, with any cell over trees."""

    name = "compose"
    summary = "label the phrases of trees: sentiment, party, category"
    Data = ComposeData
    Model = ComposeModel
    Decoding = ComposeDecoding
    metric = "accuracy_root"
    goal = "max"
    unit = "labels"
    measure = "nodes"

    data: ComposeData
    model: ComposeModel
    decoding: ComposeDecoding

    def read(self, part: Part) -> Sequence[Tree]:
        """The trees of a part; none for a test part that the configuration does not name."""
        return self._parts[part]

    def read_file(self, path: Path) -> list[Tree]:
        """The trees of a file, made fit for the cell, each node labelled by its class."""
        return list(self._each(path))

    def _each(self, path: Path) -> Iterator[Tree]:
        if path == Path(ComposeData().train) and not path.exists():
            raise DataError(
                f"there is no {path} here. Say where trees are, one a line with a label at every "
                "node, such as (3 (2 It) (4 (2 's) (4 good))):\n"
                "  --set data.train=FILE --set data.dev=FILE --set data.test=FILE"
            )
        return (
            _told_with_place(self._fitting.example, tree, f"{path}, tree {number}")
            for number, tree in enumerate(read_trees(path), 1)
        )

    def fit(self, train: Sequence[Tree]) -> None:
        """Build the vocabularies of words and classes, and read the file of vectors.

        Raises:
            ConfigError: a class cannot be shown, or is negative and positive.
        """
        check_classes(self.data)
        words = Vocabulary.build(
            (self._folded(tree) for tree in train), min_count=self.data.min_count
        )
        named = ([label for label in tree.labels if label != NO_CLASS] for tree in train)
        self.classes = Vocabulary.build(named, specials=())
        if not self.classes.symbols:
            raise DataError(f"{self.data.train}: no node has a label that counts")
        asked = self.model.embedding_size
        asked = asked if self.data.vectors else asked or self.model.hidden_size
        file = VectorFile(self.data.vectors, self.data.more_words, self.data.lowercase)
        self._vectors = take_vectors(words, file, size=asked, tell=self.tell)

    def check(self, examples: Sequence[Tree]) -> None:
        """Refuse trees without any class that training had, or without any at a root.

        Raises:
            DataError: there is none, or no tree has one at its root.
        """
        labels = (label for tree in examples for label in tree.labels if label)
        check_known(labels, self.classes.symbols, of="trees")
        if examples and not any(tree.labels[0] != NO_CLASS for tree in examples):
            raise DataError("no tree has a label at its root that counts, so nothing can be judged")

    def vocabularies(self) -> dict[str, Any]:
        """The vocabularies of words and classes, and the size of word vectors, as JSON values."""
        return {
            "words": self.words.to_json(),
            "classes": self.classes.to_json(),
            "embedding_size": self._vectors.size,
        }

    def restore(self, vocabularies: dict[str, Any]) -> None:
        """Take the vocabularies of a saved run over."""
        words = Vocabulary.from_json(vocabularies["words"])
        self._vectors = WordVectors(words, int(vocabularies["embedding_size"]))
        self.classes = Vocabulary.from_json(vocabularies["classes"])

    @property
    def words(self) -> Vocabulary:
        """The words that the model knows."""
        return self._vectors.words

    def build(self) -> TreeClassifier:
        """A fresh model for the vocabularies at hand.

        Raises:
            ConfigError: the cell cannot take word vectors of this size.
        """
        size, hidden = self._vectors.size, self.model.hidden_size
        try:
            model = TreeClassifier(self.model, self.words, len(self.classes), embedding_size=size)
        except ShapeError as error:
            if size == hidden:
                raise
            raise ConfigError(
                f"model.cell does not go together with word vectors of {size} numbers and "
                f"model.hidden_size = {hidden}: {error.cause}. A cell that takes a word's "
                f"vector for a state needs model.hidden_size = {size}"
            ) from error
        self._vectors.put_into(model.words)
        return model

    def size(self, example: Tree) -> int:
        """The nodes of a tree."""
        return len(example)

    def collate(self, examples: Sequence[Tree]) -> LabelledBatch:
        """The tensors of a batch; a class that training did not have counts as wrong."""
        number = self._number
        classes = torch.tensor(
            [
                number[label] if label in number else self._unknown(label)
                for tree in examples
                for label in tree.labels
            ]
        )
        return LabelledBatch(self._phrases(examples), classes, int((classes >= 0).sum()))

    def measured(self, batch: LabelledBatch) -> int:
        """The nodes of the trees."""
        return len(batch.classes)

    def loss(self, model: nn.Module, batch: LabelledBatch) -> tuple[Tensor, int]:
        """The cross-entropy of the classes."""
        smoothing = self.model.label_smoothing
        nats = _cross_entropy(model(batch.phrases), batch.classes, smoothing=smoothing)
        return nats, batch.n_units

    def evaluate(
        self, model: nn.Module, examples: Sequence[Tree], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        """The share of right classes: of roots and of all nodes, of all classes and of the poles.

        For binary accuracy the poles' probabilities are added up, and only nodes of a class that
        is negative or positive count.

        Raises:
            DataError: there is no tree, or no class of any is one of training.
        """
        if not examples:
            raise DataError("there is no tree to evaluate on")
        self.check(examples)
        scores, nats, n_units = Scores(self._scale), 0.0, 0
        for rows in plan_in_order([self.size(tree) for tree in examples], batch_size):
            batch = self.collate([examples[i] for i in rows]).to(device_of(model))
            logits = model(batch.phrases)
            nats += float(_cross_entropy(logits, batch.classes))
            n_units += batch.n_units
            scores.add(logits, batch.classes, torch.tensor(batch.phrases.forest.roots))
            advance(len(rows))
        shares = scores.shares(only_root=self.data.labels == "root")
        return {"loss": nats / max(1, n_units), **shares}

    def predict(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Answer]:
        """Each line, a tree in brackets or a sentence, as a tree with the classes as labels.

        A sentence's words are separated by blanks; it becomes a tree that branches to the right. A
        list is answered in batches, a stream line by line.

        Raises:
            DataError: a line's brackets are not those of one tree.
        """
        size = self.decoding.batch_size if isinstance(lines, Sequence) else 1
        for chunk in in_chunks(enumerate(lines, 1), size):
            asked, trouble = until_trouble(chunk, self._asked)
            yield from self._answers(model, asked)
            if trouble is not None:
                raise trouble

    def encode(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Tensor]:
        """The vector at the root of each line's tree, read as `predict` reads it; zeros of none.

        Raises:
            DataError: a line's brackets are not those of one tree.
        """
        network = cast(TreeClassifier, model)
        for chunk in in_chunks(enumerate(lines, 1), self.decoding.batch_size):
            read, trouble = until_trouble(chunk, self._asked)
            trees = [tree for tree, _ in read]
            shaped = [tree for tree in trees if tree is not None]
            found: Iterator[Tensor] = iter(())
            if shaped:
                phrases = self._phrases(shaped).to(device_of(model))
                roots = torch.tensor(phrases.forest.roots).to(device_of(model))
                found = iter(network.encode(phrases)[roots])
            nothing = network.words.weight.new_zeros(self.model.hidden_size)
            for tree in trees:
                yield nothing if tree is None else next(found)
            if trouble is not None:
                raise trouble

    def _asked(self, line: tuple[int, str]) -> tuple[Tree | None, bool]:
        """The tree that a line of input holds as the network sees it, and whether it was given."""
        tree, given = read_line(line[1], line[0])
        if tree is None:
            return None, given
        return _told_with_place(self._fitting.shaped, tree, f"input {line[0]}"), given

    def _answers(
        self, model: nn.Module, asked: Sequence[tuple[Tree | None, bool]]
    ) -> Iterator[Answer]:
        trees = [tree for tree, _ in asked if tree is not None]
        found: Iterator[list[list[float]]] = iter(())
        if trees:
            with torch.no_grad():
                logits = model(self._phrases(trees).to(device_of(model)))
            sizes = [len(tree) for tree in trees]
            found = (part.tolist() for part in logits.softmax(-1).split(sizes))
        shaped = iter(trees)
        for tree, given in asked:
            if tree is None:
                yield empty(self._scale)
                continue
            rows = [dict(zip(self._scale.classes, row, strict=True)) for row in next(found)]
            only_root = self.data.labels == "root"
            yield answer(next(shaped), rows, self._scale, given=given, only_root=only_root)

    def _phrases(self, trees: Sequence[Tree]) -> Phrases:
        forest = Forest.from_brackets(trees)
        words = self.words.encode(word for tree in trees for word in self._folded(tree))
        return Phrases(forest.binary() if self._fitting.binary else forest, torch.tensor(words))

    def _folded(self, tree: Tree) -> Sequence[str]:
        words = tree.sentence()
        return [word.lower() for word in words] if self.data.lowercase else words

    @property
    def _number(self) -> dict[str, int]:
        """The number of each class."""
        return {NO_CLASS: NONE, **{name: n for n, name in enumerate(self.classes.symbols)}}

    @property
    def _scale(self) -> Scale:
        """The classes in the order of their numbers, and the poles."""
        known = self.classes.symbols
        poles = (
            tuple(label for name in names for label in known if name in (label, own_name(label)))
            for names in (self.data.negative, self.data.positive)
        )
        return Scale(known, *poles)

    def _unknown(self, label: str) -> int:
        """What stands for a class that training did not have."""
        names = {label, own_name(label)}
        if names & {*self.data.negative}:
            return UNKNOWN_NEGATIVE
        return UNKNOWN_POSITIVE if names & {*self.data.positive} else UNKNOWN

    @cached_property
    def _fitting(self) -> Fitting:
        return Fitting(self.data, reads_left_and_right(as_cell(self.model.cell)))

    @cached_property
    def _parts(self) -> Parts[Sequence[Tree]]:
        return read_parts(
            self.data,
            self._each,
            key=lambda tree: " ".join(tree.sentence()),
            what="trees",
            form=TREE,
            passing=self.passing,
        )


def _cross_entropy(logits: Tensor, classes: Tensor, *, smoothing: float = 0.0) -> Tensor:
    return cross_entropy(logits, classes.clamp(min=NONE), ignore=NONE, smoothing=smoothing)


def _told_with_place(shape: Callable[[Tree], Tree], tree: Tree, place: str) -> Tree:
    """A tree shaped; what is wrong with it is told with its place."""
    try:
        return shape(tree)
    except DataError as error:
        raise DataError(f"{place}: {error}") from error
