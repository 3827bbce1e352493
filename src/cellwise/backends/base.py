"""What a back end is: something that sweeps a compiled program over the rows of a structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from cellwise.backends.schedule import Schedule
from cellwise.passes.pipeline import Compiled
from cellwise.passes.program import Program

Direction = Literal["forward", "backward"]


@dataclass(frozen=True, eq=False)
class Bound:
    """A compiled cell with numbers for its sizes and constants: what a sweep needs but arrays.

    `backend` names the one that serves, or is "auto". Compared by identity, so that back ends can
    keep what they make of it at no cost.
    """

    compiled: Compiled
    sizes: tuple[tuple[str, int], ...]
    constants: tuple[tuple[str, float], ...]
    backend: str

    def program(self, direction: Direction) -> Program:
        """The cell's program, or that of its derivative."""
        return self.compiled.forward if direction == "forward" else self.compiled.backward


@dataclass(frozen=True)
class Feed:
    """The arrays that a sweep reads.

    Attributes:
        rows: signals from outside, by (name, index): [R, ·] with at least the schedule's live rows.
        edges: by signal, what is read beyond the end: the initial state, or the final cotangent;
            [B, ·].
        parameters: by name.
    """

    rows: Mapping[tuple[str, str], Tensor]
    edges: Mapping[str, Tensor]
    parameters: Mapping[str, Tensor]


@dataclass(frozen=True)
class Swept:
    """What a sweep gives: the kept signals' `rows` [N, ·], last states `edges` [B, ·], `totals`."""

    rows: Mapping[str, Tensor]
    edges: Mapping[str, Tensor]
    totals: Mapping[str, Tensor]


class Backend(Protocol):
    """Sweeps programs over structures."""

    name: str

    def refuses(self, bound: Bound, like: Tensor) -> str:
        """Why this back end cannot serve the cell on arrays like this one, or an empty text."""

    def sweep(
        self,
        bound: Bound,
        direction: Direction,
        feed: Feed,
        schedule: Schedule,
        keep: Sequence[str],
    ) -> Swept:
        """Compute one program over all rows; `keep` names the signals to give back."""
