"""Several decoders that write together: the mean of their probabilities at every step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from cellwise.heads.search import State, Step


@dataclass(frozen=True)
class Together:
    """Decoders over the same symbols as one `Step`; its state is theirs, one after the other.

    Args:
        steps: the decoders.
        counts: how many tensors the state of each one has.
    """

    steps: tuple[Step, ...]
    counts: tuple[int, ...]

    def __call__(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of all of them."""
        found = [step(last, own) for step, own in zip(self.steps, self._apart(state), strict=True)]
        after = tuple(part for _, own in found for part in own)
        return mean_log_probabilities([log_p for log_p, _ in found]), after

    def of(self, rows: Tensor) -> Step:
        """The same decoders for some of the rows."""
        return Together(tuple(step.of(rows) for step in self.steps), self.counts)

    def _apart(self, state: State) -> list[State]:
        ends = [sum(self.counts[:n]) for n in range(len(self.counts) + 1)]
        return [state[start:end] for start, end in pairwise(ends)]


def mean_log_probabilities(of_each: Sequence[Tensor]) -> Tensor:
    """The logarithm of the mean of probabilities whose logarithms are given, `[..., V]` each."""
    return torch.logsumexp(torch.stack(tuple(of_each)), dim=0) - math.log(len(of_each))
