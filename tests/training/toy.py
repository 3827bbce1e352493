"""A tiny task for testing the loop: does a word hold more letters a than b?"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cellwise.errors import DataError
from cellwise.tasks.base import Advance, Answer, Part, Section, Task

Example = tuple[str, int]
ALPHABET = "ab"
LENGTH = 6


class ToyData(Section):
    examples: int = Field(64, ge=1, description="training examples to make up")
    train: str = Field("", description="a file of words; empty: made up")


class ToyModel(Section):
    cell: str = Field("lstm", description="a cell, which this task ignores")
    hidden_size: int = Field(8, ge=1, description="numbers in the middle")
    dropout: float = Field(0.3, ge=0, lt=1, description="dropout in the middle")
    layers: list[int] = Field([], description="a list, which this task ignores")
    hint: str | None = Field(None, description="a text, which this task ignores")
    sizes: dict[str, int] = Field({}, description="a table, which this task ignores")
    explode_at: int = Field(0, description="the call of loss that gives NaN; 0: none")


class ToyDecoding(Section):
    shout: bool = Field(False, description="answer in capitals")


@dataclass(frozen=True)
class ToyBatch:
    counts: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> ToyBatch:
        return replace(self, counts=self.counts.to(device), labels=self.labels.to(device))


def label(word: str) -> int:
    return int(word.count("a") > word.count("b"))


def make(count: int, seed: int) -> list[Example]:
    source = random.Random(seed)
    words = ["".join(source.choices(ALPHABET, k=source.randint(1, LENGTH))) for _ in range(count)]
    return [(word, label(word)) for word in words]


class Toy(Task[Example, ToyBatch]):
    name: ClassVar[str] = "toy"
    summary: ClassVar[str] = "More a than b?"
    Data: ClassVar[type[Section]] = ToyData
    Model: ClassVar[type[Section]] = ToyModel
    Decoding: ClassVar[type[Section]] = ToyDecoding
    metric: str = "accuracy"
    goal: Literal["min", "max"] = "max"

    data: ToyData
    model: ToyModel
    decoding: ToyDecoding

    def __init__(self, data: Any, model: Any, decoding: Any):
        super().__init__(data, model, decoding)
        self.letters: list[str] = []
        self.calls = 0

    def read(self, part: Part) -> list[Example]:
        if part == "train" and self.data.train:
            return self.read_file(Path(self.data.train))
        seed = {"train": 1, "dev": 2, "test": 3}[part]
        return make(self.data.examples if part == "train" else 24, seed)

    def read_file(self, path: Path) -> list[Example]:
        if not path.is_file():
            raise DataError(f"there is no file {path}")
        return [(word, label(word)) for word in path.read_text(encoding="utf-8").split()]

    def fit(self, train: Sequence[Example]) -> None:
        self.letters = sorted({letter for word, _ in train for letter in word})

    def vocabularies(self) -> dict[str, Any]:
        return {"letters": self.letters}

    def restore(self, vocabularies: dict[str, Any]) -> None:
        self.letters = vocabularies["letters"]

    def build(self) -> nn.Module:
        return nn.Sequential(
            nn.Linear(len(self.letters), self.model.hidden_size),
            nn.Tanh(),
            nn.Dropout(self.model.dropout),
            nn.Linear(self.model.hidden_size, 2),
        )

    def size(self, example: Example) -> int:
        return len(example[0])

    def collate(self, examples: Sequence[Example]) -> ToyBatch:
        counts = [[float(word.count(letter)) for letter in self.letters] for word, _ in examples]
        return ToyBatch(torch.tensor(counts), torch.tensor([right for _, right in examples]))

    def loss(self, model: nn.Module, batch: ToyBatch) -> tuple[Tensor, int]:
        self.calls += 1
        scores = model(batch.counts)
        loss = nn.functional.cross_entropy(scores, batch.labels, reduction="sum")
        if self.calls == self.model.explode_at:
            loss = loss * torch.nan
        return loss, len(batch.labels)

    def evaluate(
        self, model: nn.Module, examples: Sequence[Example], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        right = 0
        for start in range(0, len(examples), batch_size):
            some = examples[start : start + batch_size]
            batch = self.collate(some).to(next(model.parameters()).device)
            torch.rand(1)  # an evaluation that draws random numbers must not disturb training
            right += int((model(batch.counts).argmax(1) == batch.labels).sum())
            advance(len(some))
        return {"accuracy": right / len(examples)}

    def predict(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Answer]:
        for line in lines:
            batch = self.collate([(line, 0)]).to(next(model.parameters()).device)
            text = ["no", "yes"][int(model(batch.counts).argmax())]
            yield Answer(
                text.upper() if self.decoding.shout else text, {"word": line, "more": text}
            )


class Carrying(Toy):
    """The same, and what a row has seen before adds to its scores."""

    name: ClassVar[str] = "carrying"
    carries: ClassVar[bool] = True
    unit: ClassVar[str] = "words"

    def __init__(self, data: Any, model: Any, decoding: Any):
        super().__init__(data, model, decoding)
        self.seen: Tensor | None = None

    def plan(
        self, sizes: Sequence[int], batch_size: int, *, seed: int, epoch: int
    ) -> list[list[int]]:
        steps = len(sizes) // batch_size
        return [[row * steps + step for row in range(batch_size)] for step in range(steps)]

    def carried(self) -> dict[str, Tensor]:
        return {} if self.seen is None else {"seen": self.seen}

    def carry(self, tensors: Mapping[str, Tensor]) -> None:
        self.seen = tensors.get("seen")

    def loss(self, model: nn.Module, batch: ToyBatch) -> tuple[Tensor, int]:
        scores = model(batch.counts)
        if self.seen is not None:
            scores = scores + self.seen
        self.seen = 0.5 * scores.detach()
        return nn.functional.cross_entropy(scores, batch.labels, reduction="sum"), len(scores)

    def evaluate(
        self, model: nn.Module, examples: Sequence[Example], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        if self.seen is not None:
            self.seen.zero_()
        self.carry({})
        return super().evaluate(model, examples, batch_size=batch_size, advance=advance)
