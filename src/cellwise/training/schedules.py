"""Learning-rate schedules: the rate at a step, as a multiple of the full rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cellwise.training.settings import ScheduleName, TrainingConfig

HALVING = 0.5
"""What "plateau" multiplies the rate by when the dev metric does not improve."""


def _constant(_step: int, _warmup: int, _total: int) -> float:
    return 1.0


def _share(step: int, warmup: int, total: int) -> float:
    """How much of the way from the end of the warm-up to the last step is done: 0 to 1."""
    return min(1.0, max(0.0, (step - warmup - 1) / max(1, total - warmup)))


def _linear(step: int, warmup: int, total: int) -> float:
    return 1.0 - _share(step, warmup, total)


def _cosine(step: int, warmup: int, total: int) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * _share(step, warmup, total)))


def _inverse_sqrt(step: int, warmup: int, _total: int) -> float:
    start = max(1, warmup)
    return math.sqrt(start / max(start, step))


SHAPES: dict[ScheduleName, Callable[[int, int, int], float]] = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "plateau": _constant,
    "step": _constant,
    "inverse_sqrt": _inverse_sqrt,
}
"""(step counted from 1, warm-up steps, steps in all) → multiple of the full rate."""


@dataclass
class Schedule:
    """The learning rate at each step; `factor` is what "plateau" has come down to.

    Example:
        >>> schedule = Schedule(TrainingConfig(schedule="linear", learning_rate=1.0), total=4)
        >>> [schedule.rate(step) for step in (1, 2, 3, 4)]
        [1.0, 0.75, 0.5, 0.25]
    """

    config: TrainingConfig
    total: int
    factor: float = 1.0

    def rate(self, step: int, epoch: int = 1) -> float:
        """The learning rate of a step, in an epoch; both are counted from 1."""
        warmup = self.config.warmup_steps
        rise = min(1.0, step / warmup) if warmup else 1.0
        shape = SHAPES[self.config.schedule](step, warmup, self.total)
        factor = self.factor if self.config.schedule == "plateau" else 1.0
        return self.config.learning_rate * factor * rise * shape * self._decay(epoch)

    def _decay(self, epoch: int) -> float:
        """What "step" has come down to, as in Zaremba et al. 2014, section 4 (arXiv:1409.2329)."""
        over = epoch - self.config.decay_after if self.config.schedule == "step" else 0
        return self.config.decay ** max(0, over)

    def judged(self, *, better: bool) -> None:
        """Told after each evaluation whether the dev metric improved."""
        if self.config.schedule == "plateau" and not better:
            self.factor *= HALVING
