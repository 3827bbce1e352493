"""Steps of descent: the gradients of a few batches, made one, shortened, and followed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cellwise.tasks.base import Task
from cellwise.training.optimisers import build_optimiser, gradients, set_rate
from cellwise.training.precision import Precision
from cellwise.training.processes import Processes
from cellwise.training.settings import TrainingConfig


class WildNumberError(ArithmeticError):
    """The loss or the gradient is no finite number: `what` it is, and its `value`."""

    def __init__(self, what: str, value: float):
        super().__init__(f"{what} is {value}")
        self.what, self.value = what, value


class Sums(NamedTuple):
    """Over the batches of a step: the loss in nats, its units, and what the task measures."""

    loss: float
    units: int
    measured: int


class Descent:
    """Changes the weights of a model, a step at a time.

    The gradient of a step is that of the mean loss per unit over all its batches, in all processes,
    so that many small batches are one large one.

    Args:
        task: what knows the loss.
        model: the model in training, on this process's device.
        config: optimiser, clipping and precision.
        processes: those that train together.
    """

    def __init__(
        self,
        task: Task[Any, Any],
        model: nn.Module,
        config: TrainingConfig,
        processes: Processes,
    ):
        self.task, self.model, self.processes = task, model, processes
        self.optimiser = build_optimiser(model, config, alone=processes.count == 1)
        self.precision = Precision(config.precision, processes.device)
        self._limit = config.clip_norm

    def step(self, batches: Sequence[Sequence[Any]], rate: float) -> Sums:
        """Follow the gradient of some batches of examples; what they sum to.

        Raises:
            WildNumberError: a number is infinite or NaN; the weights are as they were.
        """
        set_rate(self.optimiser, rate)
        found = self._gradient(batches)
        self._clip()
        self.precision.step(self.optimiser)
        return found

    def _gradient(self, batches: Sequence[Sequence[Any]]) -> Sums:
        """Leave the gradient of the mean loss per unit in the parameters."""
        self.optimiser.zero_grad(set_to_none=True)
        divisor, own = 0, [Sums(0.0, 0, 0)]
        for examples in filter(None, batches):  # of some rows there may be none here
            own.append(self._backward(examples, divisor))
            divisor = divisor or max(1, own[-1].units)
        totals = (float(sum(one)) for one in zip(*own, strict=True))
        total, units, measured = self.processes.sum(*totals)
        _demand_finite("the loss", total)
        if divisor != max(1.0, units):
            _multiply(gradients(self.model), divisor / max(1.0, units))
        self.processes.sum_gradients(self.model)
        return Sums(total, int(units), int(measured))

    def _backward(self, examples: Sequence[Any], divisor: int) -> Sums:
        """Add a batch's gradient, divided by `divisor` or else by its units, to the parameters."""
        batch = self.task.collate(examples).to(self.processes.device)
        with self.precision.context():
            loss, n_units = self.task.loss(self.model, batch)
        self.precision.scaled(loss / (divisor or max(1, n_units))).backward()
        return Sums(float(loss.detach()), n_units, self.task.measured(batch))

    def _clip(self) -> None:
        """Shorten the gradient if it is longer than the limit; most are not, and stay untouched."""
        self.precision.unscale(self.optimiser)
        found = gradients(self.model)
        norm = float(nn.utils.get_total_norm(found))
        if not math.isfinite(norm) and self.precision.may_overflow:
            return
        _demand_finite("the gradient", norm)
        if self._limit and norm > self._limit:
            _multiply(found, self._limit / (norm + 1e-6))


def _multiply(tensors: list[Tensor], factor: float) -> None:
    if tensors:
        torch._foreach_mul_(tensors, factor)


def _demand_finite(what: str, value: float) -> None:
    if not math.isfinite(value):
        raise WildNumberError(what, value)
