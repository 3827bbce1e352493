"""What every task has in common: its configuration, and the calls that training makes.

A task is one readable file that composes readers, layers, heads, losses and decoders. The training
loop, the run folder and the command line know tasks only through `Task`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from cellwise.data.batches import plan_batches
from cellwise.errors import ConfigError

Part = Literal["train", "dev", "test"]
Example = TypeVar("Example")
Batch = TypeVar("Batch")
Advance = Callable[[int], None]
"""Called with the number of examples just done, so that a caller can show progress."""


class Section(BaseModel):
    """A table of a configuration file: unknown keys are errors, every field has a description."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


@dataclass(frozen=True)
class Answer:
    """What a model says of a line of input: `text` for people, `record` (JSON) for programs."""

    text: str
    record: dict[str, Any]


class Task(ABC, Generic[Example, Batch]):
    """One use of a recurrent network: from a file of examples to metrics and answers.

    A task object holds its three configuration sections and, after `fit` or `restore`, its
    vocabularies.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Data: ClassVar[type[Section]]
    Model: ClassVar[type[Section]]
    Decoding: ClassVar[type[Section]]
    metric: ClassVar[str]
    """The metric on the dev part that decides which checkpoint is best."""
    goal: ClassVar[Literal["min", "max"]]
    unit: ClassVar[str] = "units"
    """What the loss is a sum over, in the plural, as shown with the speed of training."""
    carries: ClassVar[bool] = False
    """Whether a batch goes on where the batch before it stopped, so that row i belongs to row i.

    Then processes that train together share out the rows of every batch, else the batches.
    """

    def __init__(self, data: Section, model: Section, decoding: Section):
        self.data, self.model, self.decoding = data, model, decoding

    @abstractmethod
    def read(self, part: Part) -> list[Example]:
        """The examples of a part. Raises DataError (file, line, cause)."""

    @abstractmethod
    def read_file(self, path: Path) -> list[Example]:
        """The examples of any file in the task's format (`evaluate --data FILE`)."""

    @abstractmethod
    def fit(self, train: Sequence[Example]) -> None:
        """Build the vocabularies from the training examples."""

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
        """Go on from what `carried` gave."""

    @abstractmethod
    def collate(self, examples: Sequence[Example]) -> Batch:
        """A batch of tensors, on the CPU; a dataclass with `to(device)`."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """The summed loss of a batch in nats, a scalar, and the number of units it sums over."""

    @abstractmethod
    def evaluate(
        self, model: nn.Module, examples: Sequence[Example], *, batch_size: int, advance: Advance
    ) -> dict[str, float]:
        """The task's metrics on `examples`; the model is in eval mode and gradients are off."""

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


def device_of(model: nn.Module) -> torch.device:
    """The device that a model's parameters are on."""
    return next(model.parameters()).device
