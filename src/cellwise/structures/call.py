"""One fold: a bound cell, its arrays, and the names that give them their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from cellwise.backends import BACKENDS, Backend, asked_first, serving
from cellwise.backends.base import Bound, Feed, PreparedFold, Swept
from cellwise.backends.schedule import Schedule, levels
from cellwise.graph.dimension import Shape
from cellwise.passes.content import content
from cellwise.passes.pipeline import Compiled
from cellwise.structures.known import Known

bound_of: Known[Bound] = Known()
"""The cell that was bound under a key."""


def bind(
    compiled: Compiled, sizes: Mapping[str, int], constants: Mapping[str, float], backend: str
) -> str:
    """Make a compiled cell known under a key that names its content and back end."""
    bound = Bound(compiled, tuple(sorted(sizes.items())), tuple(sorted(constants.items())), backend)
    text = (
        f"{content(compiled.forward.system)}{compiled.saved}{bound.sizes}{bound.constants}{backend}"
    )
    return bound_of.add(bound, text)


@dataclass(frozen=True)
class Arrays:
    """The tensors of a fold: `inputs`, `edges` (initial states), `parameters`, in the cell's order.

    inputs: [R, ·] each, of which the schedule's live rows come first; edges: [B, ·]; parameters as
    named.
    """

    inputs: list[Tensor]
    edges: list[Tensor]
    parameters: list[Tensor]

    @property
    def all(self) -> list[Tensor]:
        """Every tensor, in order."""
        return [*self.inputs, *self.edges, *self.parameters]

    def like(self, tensors: Sequence[Tensor]) -> Arrays:
        """The same division of other tensors."""
        first, second = len(self.inputs), len(self.inputs) + len(self.edges)
        return Arrays(list(tensors[:first]), list(tensors[first:second]), list(tensors[second:]))


def schedule_of(level_sizes: Tensor, edges: Sequence[Tensor]) -> Schedule:
    """The levels of a batch; reads `level_sizes`, so not to be called while tracing."""
    n_sequences = edges[0].shape[0] if edges else -1
    if level_sizes.is_inference():
        return _read(level_sizes, n_sequences)
    return _known(level_sizes, level_sizes._version, n_sequences)


@lru_cache(maxsize=64)
def _known(level_sizes: Tensor, version: int, n_sequences: int) -> Schedule:
    """The schedule of a tensor that is the same and was not changed: reading it takes longer."""
    return _read(level_sizes, n_sequences)


def _read(level_sizes: Tensor, n_sequences: int) -> Schedule:
    sizes = level_sizes.tolist()
    return levels(sizes, max(sizes, default=0) if n_sequences < 0 else n_sequences)


def prepared(key: str, arrays: Arrays, level_sizes: Tensor) -> PreparedFold | None:
    """The fold with all that its back end can make ready before it has the arrays."""
    bound, like = bound_of(key), arrays.inputs[0]
    schedule = schedule_of(level_sizes, arrays.edges)
    return BACKENDS[asked_first(bound)].prepared(bound, like, schedule)


def prepared_padded(key: str, x: Tensor) -> PreparedFold | None:
    """The same for sequences of one length, where x is [T, B, I]."""
    bound, schedule = bound_of(key), _even(x.shape[0], x.shape[1])
    return BACKENDS[asked_first(bound)].prepared(bound, x, schedule, padded=True)


@lru_cache(maxsize=64)
def _even(n_steps: int, n_sequences: int) -> Schedule:
    return levels([n_sequences] * n_steps, n_sequences)


class Call:
    """One fold: the program, its arrays, and the names that give them their places.

    Attributes:
        fresh: whether all that the last sweep gave is in memory of its own (`Swept.fresh`).
    """

    fresh = False

    def __init__(self, key: str, arrays: Arrays, level_sizes: Tensor):
        self.key, self.bound = key, bound_of(key)
        self.compiled = self.bound.compiled
        self.system = self.compiled.forward.system
        self.arrays, self.level_sizes = arrays, level_sizes
        self.names = self.compiled.names
        self.kept = self.compiled.kept

    def of(self, tensors: Sequence[Tensor]) -> Call:
        """The same fold of other arrays, given in order."""
        return Call(self.key, self.arrays.like(tensors), self.level_sizes)

    @cached_property
    def schedule(self) -> Schedule:
        """The levels of the batch; reads `level_sizes`, so not to be called while tracing."""
        return schedule_of(self.level_sizes, self.arrays.edges)

    @property
    def n_rows(self) -> int:
        """The number of rows that the inputs have room for, R."""
        return self.arrays.inputs[0].shape[0]

    def shape(self, name: str) -> list[int]:
        """The sizes of a signal of the cell."""
        return _evaluate(self.system.shape_of(name), self.bound)

    def forward(self, keep: Sequence[str], *, backend: str = "") -> list[Tensor]:
        """The signals of `keep`, filled up to R rows with zeros, then the last states."""
        swept = self._backend(backend).sweep(
            self.bound, "forward", self._feed(), self.schedule, keep
        )
        self.fresh = swept.fresh
        rows = [_filled(swept.rows[name], self.n_rows) for name in keep]
        return rows + [swept.edges[name] for name in self.system.states]

    def _backend(self, name: str = "") -> Backend:
        """The back end of this name, or the one that serves the arrays at hand."""
        return BACKENDS[name] if name else serving(self.bound, self.arrays.inputs[0])[0]

    def _feed(self) -> Feed:
        rows = {(n, "t"): x for n, x in zip(self.system.inputs, self.arrays.inputs, strict=True)}
        edges = dict(zip(self.system.states, self.arrays.edges, strict=True))
        return Feed(rows, edges, self._parameters())

    def _parameters(self) -> dict[str, Tensor]:
        return dict(zip(self.system.parameters, self.arrays.parameters, strict=True))

    def backward(
        self,
        kept: Sequence[Tensor],
        d_rows: Tensor,
        d_edges: Sequence[Tensor],
        *,
        backend: str = "",
    ) -> list[Tensor]:
        """The cotangents of all arrays, in order."""
        feed = self._backward_feed(dict(zip(self.kept, kept, strict=True)), d_rows, d_edges)
        d_inputs = [self.names[name] for name in self.system.inputs]
        swept = self._backend(backend).sweep(self.bound, "backward", feed, self.schedule, d_inputs)
        self.fresh = swept.fresh
        return [
            *[_filled(swept.rows[name], self.n_rows) for name in d_inputs],
            *[swept.edges[self.compiled.previous[name]] for name in self.system.states],
            *self._parameter_cotangents(swept),
        ]

    def _parameter_cotangents(self, swept: Swept) -> list[Tensor]:
        named = zip(self._parameters(), self.arrays.parameters, strict=True)
        found = [(swept.totals[self.names[name]], tensor) for name, tensor in named]
        return [d if d.shape == t.shape else d.expand_as(t) for d, t in found]

    def _backward_feed(
        self, kept: dict[str, Tensor], d_rows: Tensor, d_edges: Sequence[Tensor]
    ) -> Feed:
        system = self.compiled.backward.system
        signals = {**dict(zip(self.system.inputs, self.arrays.inputs, strict=True)), **kept}
        rows = {(self.compiled.out, "t"): d_rows}
        rows |= {(name, "t"): signals[name] for name in system.given if name in signals}
        edges = dict(zip(self.system.states, self.arrays.edges, strict=True))
        before = {name: edges[name] for name, index in system.reads() if index == "t-1"}
        carried = [self.compiled.previous[name] for name in self.system.states]
        d_last = dict(zip(carried, d_edges, strict=True))
        return Feed(rows, {**before, **d_last}, self._parameters())


def _evaluate(shape: Shape, bound: Bound) -> list[int]:
    sizes = dict(bound.sizes)
    return [size.evaluate(sizes) for size in shape]


def _filled(rows: Tensor, n_rows: int) -> Tensor:
    missing = n_rows - rows.shape[0]
    return torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])]) if missing else rows
