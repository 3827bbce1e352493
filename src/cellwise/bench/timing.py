"""Timing side by side: rounds in which everyone takes a turn, medians, and ratios per round."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

SAMPLE_SECONDS = 0.02
"""A sample repeats its call for about so long, so that the clock and the caches do not matter."""
MOST_REPEATS = 1000


@dataclass(frozen=True)
class Spread:
    """The median of several figures, the least and the most of them."""

    median: float
    least: float
    most: float

    @staticmethod
    def of(figures: Sequence[float]) -> Spread:
        """The spread of some figures, one at least."""
        return Spread(median(figures), min(figures), max(figures))


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """The spread of the ratios of two series, round by round."""
    return Spread.of([a / b for a, b in zip(above, below, strict=True)])


class Sampler(Protocol):
    """Something that can be timed."""

    def seconds(self, repeats: int) -> float:
        """The seconds that a call takes, over so many calls."""


def time_calls(call: Callable[[], object], repeats: int) -> float:
    """The seconds that a call takes, over so many calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def enough_repeats(sampler: Sampler) -> int:
    """How many calls a sample needs; the call that finds out also warms up."""
    sampler.seconds(1)
    spent = max(sampler.seconds(1), 1e-7)
    return max(1, min(MOST_REPEATS, math.ceil(SAMPLE_SECONDS / spent)))


def interleave(samplers: Mapping[str, Sampler], rounds: int) -> dict[str, list[float]]:
    """The seconds of a call of each, by name, for every round, A B C A B C."""
    repeats = {name: enough_repeats(sampler) for name, sampler in samplers.items()}
    found: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(rounds):
        for name, sampler in samplers.items():
            found[name].append(sampler.seconds(repeats[name]))
    return found
