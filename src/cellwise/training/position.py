"""Where training stands: everything but tensors that decides how it goes on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pydantic import TypeAdapter

from cellwise.training.settings import TrainingConfig


@dataclass
class Window:
    """Sums since the last line of metrics: loss in nats, units, seconds, what a task measures."""

    loss: float = 0.0
    units: int = 0
    seconds: float = 0.0
    measured: int = 0

    def add(self, loss: float, units: int, measured: int = 0, *, seconds: float) -> None:
        """Count one step."""
        self.loss += loss
        self.units += units
        self.seconds += seconds
        self.measured += measured

    @property
    def mean_loss(self) -> float:
        """The loss per unit, in nats."""
        return self.loss / max(1, self.units)

    @property
    def speed(self) -> float:
        """Units per second."""
        return self.units / self.seconds if self.seconds else 0.0

    @property
    def measured_speed(self) -> float:
        """What the task measures, per second."""
        return self.measured / self.seconds if self.seconds else 0.0


@dataclass
class Position:
    """Epochs done, batches done in this epoch, and what has been achieved.

    Attributes:
        epoch: epochs that are done; `batch` of the next one's batches are done too.
        step: optimiser steps since the beginning.
        seconds: time spent in training and evaluation, over all sittings.
        factor: what the schedule "plateau" has come down to.
        stale: evaluations since the best one.
        judged_step: the step of the last evaluation.
        metrics_bytes: the length of metrics.jsonl.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    factor: float = 1.0
    best_value: float | None = None
    best_epoch: int = 0
    stale: int = 0
    judged_step: int = 0
    metrics_bytes: int = 0
    since_line: Window = field(default_factory=Window)
    since_epoch: Window = field(default_factory=Window)

    def record(self) -> dict[str, Any]:
        """This position as JSON values."""
        return asdict(self)

    @staticmethod
    def of(record: dict[str, Any]) -> Position:
        """The position that `record` gave.

        Raises:
            ValueError: it is none.
        """
        if not {"epoch", "step"} <= set(record) <= {known.name for known in fields(Position)}:
            raise ValueError("a position has other parts")
        position = TypeAdapter(Position).validate_python(record)
        counts = position.epoch, position.batch, position.step, position.metrics_bytes
        if min(counts) < 0:
            raise ValueError("a position counts from 0")
        return position

    def improves(self, value: float, goal: str) -> bool:
        """Whether a dev metric is better than all before."""
        if self.best_value is None:
            return True
        return value < self.best_value if goal == "min" else value > self.best_value

    def judge(self, value: float, *, better: bool) -> None:
        """Note an evaluation."""
        self.judged_step = self.step
        self.stale = 0 if better else self.stale + 1
        if better:
            self.best_value, self.best_epoch = value, self.epoch + 1

    def close_epoch(self) -> None:
        """The epoch's batches are all done and judged."""
        self.epoch, self.batch, self.since_epoch = self.epoch + 1, 0, Window()

    def ending(self, config: TrainingConfig) -> str:
        """Why training is over, in words; empty while it is not."""
        if self.epoch >= config.epochs:
            return f"all {config.epochs} epochs are done"
        if config.patience and self.stale >= config.patience:
            what = "evaluations" if config.evaluate_steps else "epochs"
            return f"no better dev metric for {self.stale} {what}"
        if self.late(config) and self.judged_step == self.step:
            return f"the limit of {config.max_minutes:g} minutes is reached"
        return ""

    def due(self, config: TrainingConfig) -> bool:
        """Whether an evaluation inside the epoch is to be made now."""
        every = config.evaluate_steps
        return bool(every and self.step % every == 0 and self.judged_step != self.step)

    def late(self, config: TrainingConfig) -> bool:
        """Whether the time limit is reached."""
        return bool(config.max_minutes) and self.seconds >= 60 * config.max_minutes
