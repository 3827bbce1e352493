"""What a back end is: something that sweeps a compiled program over the rows of a structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from torch import Tensor

from cellwise.backends.kept import kept
from cellwise.backends.nodes import Nodes
from cellwise.backends.schedule import Schedule
from cellwise.passes.content import content
from cellwise.passes.nodes import CompiledNodes
from cellwise.passes.normal import RefusedError
from cellwise.passes.pipeline import Compiled
from cellwise.passes.program import Program
from cellwise.passes.rows import RowPrograms, row_programs
from cellwise.passes.stored import dump_rows, load_rows

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
    """What a sweep gives: the kept signals' `rows` [N, ·], last states `edges` [B, ·], `totals`.

    Attributes:
        fresh: all of it is in memory that the sweep has made, each in its own, but for totals,
            which may lie side by side in one piece, or in another order than torch's.
    """

    rows: Mapping[str, Tensor]
    edges: Mapping[str, Tensor]
    totals: Mapping[str, Tensor]
    fresh: bool = False


class PreparedFold(Protocol):
    """A cell's fold over one schedule, ready but for the arrays.

    Arrays come in the cell's order: inputs, initial states, parameters.

    Attributes:
        padded: rows are [T, B, ·] and last states [1, B, ·].
    """

    padded: bool

    @property
    def has_backward(self) -> bool:
        """Whether there is a backward; else a sweep must serve it."""

    def fits(self, tensors: Sequence[Tensor], *, keep: bool) -> bool:
        """Whether arrays have the form that it takes, and it makes all that is asked for."""

    def forward(
        self, tensors: Sequence[Tensor], *, keep: bool
    ) -> tuple[list[Tensor], Tensor | None]:
        """The output's rows and the last states, then what the backward needs, if `keep`."""

    def backward(
        self, tensors: Sequence[Tensor], y: Tensor, kept: Tensor, sent: Sequence[Tensor]
    ) -> list[Tensor | None]:
        """The cotangents of all arrays, given those of the output and of the last states.

        Where rows are padded, initial states may have none: nobody has given any.
        """

    def rows_of(self, y: Tensor, kept: Tensor) -> list[Tensor]:
        """The output's rows [R, ·], and those of all that was kept, one tensor a signal."""


class Backend(Protocol):
    """Sweeps programs over structures."""

    name: str

    def prepared(
        self, bound: Bound, like: Tensor, schedule: Schedule, *, padded: bool = False
    ) -> PreparedFold | None:
        """The fold over a schedule of arrays like this one; None: only `sweep` serves it.

        `padded`: of sequences of one length, whose rows come and go as [T, B, ·], and whose last
        states as [1, B, ·].
        """

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


@dataclass(frozen=True, eq=False)
class NodesBound:
    """A compiled cell over nodes with numbers for its sizes and constants; as `Bound`.

    `n_labels` is how many labels an edge can have.
    """

    compiled: CompiledNodes
    sizes: tuple[tuple[str, int], ...]
    constants: tuple[tuple[str, float], ...]
    backend: str
    n_labels: int = 0

    @cached_property
    def rows(self) -> RowPrograms | str:
        """The programs over rows, or why there are none."""
        system = self.compiled.forward
        try:
            made = kept(lambda: dump_rows(row_programs(self.compiled)), content(system), "rows")
        except RefusedError as error:
            return str(error)
        return load_rows(made)


@dataclass(frozen=True)
class NodesFeed:
    """The arrays that a sweep over nodes reads.

    Attributes:
        rows: signals from outside: [N, ·] of nodes, [E, ·] of edges. Inputs that only leaves read
            may end with the leaves.
        parameters: by name; labelled ones have a leading dimension of labels.
        like: an array of the precision to compute in.
        differentiable: whether autograd or a transform looks on, so that nothing may change in
            place.
    """

    rows: Mapping[str, Tensor]
    parameters: Mapping[str, Tensor]
    like: Tensor
    differentiable: bool = False


@dataclass(frozen=True)
class NodesSwept:
    """What a sweep over nodes gives: the kept signals' rows, [N, ·] or [E, ·], and totals."""

    rows: Mapping[str, Tensor]
    totals: Mapping[str, Tensor]


class PreparedNodesFold(Protocol):
    """A cell's fold over one forest, ready but for the arrays.

    Rows come and go in the forest's order, the parameters in the cell's.
    """

    def fits(self, x: Tensor, parameters: Sequence[Tensor], *, keep: bool) -> bool:
        """Whether arrays have the form that it takes, and it makes all that is asked for."""

    def forward(
        self, x: Tensor, parameters: Sequence[Tensor], *, keep: bool
    ) -> tuple[list[Tensor], Tensor]:
        """The outputs and the states at the ends; and the memory of what backward needs."""

    def backward(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        memory: Tensor,
        sent: Sequence[Tensor | None],
    ) -> list[Tensor]:
        """The cotangents of all arrays, given those of what the forward returned."""


class NodesBackend(Protocol):
    """Sweeps equations over the nodes of forests."""

    name: str

    def prepared(
        self, bound: NodesBound, like: Tensor, nodes: Nodes, n_inputs: int
    ) -> PreparedNodesFold | None:
        """The fold over some nodes of arrays like this one; None: only `sweep` serves it.

        Its input has a row for each of the nodes, or for each of the leaves.
        """

    def refuses(self, bound: NodesBound, like: Tensor, nodes: Nodes | None = None) -> str:
        """Why it cannot serve the cell, arrays like this one or these nodes, or an empty text."""

    def saved(self, bound: NodesBound) -> tuple[str, ...]:
        """What its forward has to keep for its backward, besides inputs and results."""

    def sweep(
        self,
        bound: NodesBound,
        direction: Direction,
        feed: NodesFeed,
        nodes: Nodes,
        keep: Sequence[str],
    ) -> NodesSwept:
        """Compute the equations at all nodes; `keep` names the signals to give back."""
