"""What every task has in common: its configuration, and the calls that training makes.

A task is one readable file that composes readers, layers, heads, losses and decoders. The training
loop, the run folder and the command line know tasks only through `Task`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from torch import Tensor, nn

from cellwise.data.batches import plan_batches
from cellwise.errors import ConfigError
from cellwise.tasks.class_scores import ClassScore, Confusion

Part = Literal["train", "dev", "test"]
Example = TypeVar("Example")
Batch = TypeVar("Batch")
Advance = Callable[[int], None]
"""Called with the number of examples just done, so that a caller can show progress."""


class Section(BaseModel):
    """A table of a configuration file: unknown keys are errors, every field has a description."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_by_chance(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse `true` where a number is due, of which pydantic would make 1."""
        kind = cls.model_fields[str(info.field_name)].annotation
        if kind in (int, float) and isinstance(value, bool):
            raise ValueError("a whole number" if kind is int else "a number")
        return value


@dataclass(frozen=True)
class Answer:
    """What a model says of a line of input: `text` for people, `record` (JSON) for programs."""

    text: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        metrics: the task's metrics.
        notes: what tells how they came about, such as the signature of a metric.
        scores: how right each class was, where the task gives classes.
        confusion: how often one class was taken for another, where a text has one class.
    """

    metrics: dict[str, float]
    notes: dict[str, str] = field(default_factory=dict)
    scores: tuple[ClassScore, ...] = ()
    confusion: Confusion | None = None

    def __post_init__(self) -> None:
        """Metrics and notes stand side by side in JSON: no name may be both."""
        assert self.metrics.keys().isdisjoint(self.notes)


Passing = Callable[[Iterable[Any], str], Iterable[Any]]
"""Gives the items of a long pass, and shows under a name how far it is."""


def unshown(items: Iterable[Any], name: str) -> Iterable[Any]:
    """The items of a pass that nobody looks at."""
    return items


class Task(ABC, Generic[Example, Batch]):
    """One use of a recurrent network: from a file of examples to metrics and answers.

    A task object holds its three configuration sections and, after `fit` or `restore`, its
    vocabularies. Passes over data other than the examples, which may take long, go through
    `passing`, and what a person should know of the data goes to `tell`; who runs the task replaces
    them to show it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Data: ClassVar[type[Section]]
    Model: ClassVar[type[Section]]
    Decoding: ClassVar[type[Section]]
    metric: str
    """The metric on the dev part that decides which checkpoint is best; sections may change it."""
    goal: Literal["min", "max"]
    unit: ClassVar[str] = "units"
    """What the loss is a sum over, in the plural, as shown with the speed of training."""
    measure: ClassVar[str] = ""
    """What `measured` counts, in the plural, where the unit says little of the work."""
    carries: ClassVar[bool] = False
    """Whether a batch goes on where the batch before it stopped, so that row i belongs to row i.

    Then processes that train together share out the rows of every batch, else the batches.
    """

    def __init__(self, data: Section, model: Section, decoding: Section):
        self.data, self.model, self.decoding = data, model, decoding
        self.passing: Passing = unshown
        self.tell: Callable[[str], None] = lambda text: None

    @abstractmethod
    def read(self, part: Part) -> Sequence[Example]:
        """The examples of a part. Raises DataError (file, line, cause).

        Data larger than memory comes as a sequence that makes its examples where they are asked
        for (`data.spooled.Spooled`).
        """

    @abstractmethod
    def read_file(self, path: Path) -> Sequence[Example]:
        """The examples of any file in the task's format (`evaluate --data FILE`)."""

    @abstractmethod
    def fit(self, train: Sequence[Example]) -> None:
        """Build the vocabularies from the training examples."""

    def check(self, examples: Sequence[Example]) -> None:
        """Refuse examples that a model of these vocabularies could not be judged by.

        Training asks this of dev and test before it starts; most tasks can judge by any.

        Raises:
            DataError: it could not, and why.
        """

    @abstractmethod
    def vocabularies(self) -> dict[str, Any]:
        """The vocabularies as JSON values, saved in the run folder."""

    @abstractmethod
    def restore(self, vocabularies: dict[str, Any]) -> None:
        """Take the vocabularies of a saved run over."""

    @abstractmethod
    def build(self) -> nn.Module:
        """A fresh model for the vocabularies at hand (random weights from torch's generator)."""

    @abstractmethod
    def size(self, example: Example) -> int:
        """The length by which examples are put into batches of like length."""

    def training_size(self, example: Example) -> int:
        """What training reads of an example; `size`, unless that is less in training."""
        return self.size(example)

    def plan(
        self, sizes: Sequence[int], batch_size: int, *, seed: int, epoch: int
    ) -> list[list[int]]:
        """The batches of an epoch: positions of examples whose sizes are given.

        It depends on the arguments alone, so that an interrupted epoch can be replayed.
        """
        return plan_batches(sizes, batch_size, seed=seed, epoch=epoch)

    def carried(self) -> dict[str, Tensor]:
        """What the next batch goes on from, for a checkpoint; nothing for most tasks."""
        return {}

    def carry(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `carried` gave; with no tensors, from the start."""

    @abstractmethod
    def collate(self, examples: Sequence[Example]) -> Batch:
        """A batch of tensors, on the CPU; a dataclass with `to(device)`."""

    def measured(self, batch: Batch) -> int:
        """How much of `measure` training reads in a batch; this speed is shown, too."""
        return 0

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """The summed loss of a batch in nats, a scalar, and the number of units it sums over."""

    @abstractmethod
    def evaluate(
        self, model: nn.Module, examples: Sequence[Example], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        """The task's metrics on `examples`; the model is in eval mode and gradients are off."""

    def report(
        self, model: nn.Module, examples: Sequence[Example], *, batch_size: int, advance: Advance
    ) -> Report:
        """The metrics of `evaluate` and what a task has to say besides, from one evaluation."""
        return Report(self.evaluate(model, examples, batch_size=batch_size, advance=advance))

    @abstractmethod
    def predict(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Answer]:
        """An answer for each line of text, in order, yielded as soon as it is known."""

    def encode(self, model: nn.Module, lines: Iterable[str]) -> Iterator[Tensor]:
        """A vector `[F]` for each line of text, in order: what the model's layers made of it.

        The model is in eval mode and gradients are off.

        Raises:
            ConfigError: the task has no vectors of texts.
        """
        raise ConfigError(f"a run of task '{self.name}' makes no vectors of texts")

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        """Several trained models of these vocabularies as one, which answers for all of them.

        Raises:
            ConfigError: the task has no ensembles.
        """
        raise ConfigError(f"runs of task '{self.name}' cannot answer together")


def device_of(model: nn.Module) -> torch.device:
    """The device that a model's parameters are on."""
    return next(model.parameters()).device
