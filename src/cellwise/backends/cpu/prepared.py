"""A fold over one schedule with everything prepared but addresses: the way of calls by autograd.

`Sweep` does the same with arrays of any form, one tensor a signal. Here arrays have one form, and
all that the forward keeps for the backward lies in one piece of memory. A small fold takes longer
to call than to compute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from math import prod
from operator import attrgetter
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from cellwise.backends.base import Bound, Direction
from cellwise.backends.cpu.choice import Choice
from cellwise.backends.cpu.compiled import Compiled, compiled, shapes_outside
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.memory import new_rows, new_scratch
from cellwise.backends.cpu.parallel import run
from cellwise.backends.cpu.precisions import DTYPES
from cellwise.backends.cpu.rows_memory import placed
from cellwise.backends.cpu.sum_calls import plans, sum_calls
from cellwise.backends.cpu.sweep import Job
from cellwise.backends.cpu.target import Precision, Target
from cellwise.backends.cpu.totals import closed
from cellwise.backends.cpu.work import Steps, address_of
from cellwise.backends.schedule import Schedule

_address = Tensor.data_ptr
_shape, _dtype, _is_cpu = attrgetter("shape"), attrgetter("dtype"), attrgetter("is_cpu")


def have_form(
    tensors: Sequence[Tensor], dtype: torch.dtype, shapes: Sequence[tuple[int, ...]]
) -> bool:
    """Whether compiled code can read tensors as they lie."""
    return (  # without a line of Python for each
        list(map(_shape, tensors)) == shapes
        and {*map(_dtype, tensors)} <= {dtype}
        and all(map(_is_cpu, tensors))
        and all(map(Tensor.is_contiguous, tensors))
    )


class _Calls:
    """One direction of a fold on some threads, for any schedule.

    Attributes:
        code: the program.
        sums: the calls behind the kernel, if there are any.
        own: the signals over all rows that are made for the sweep alone.
        last: for each state that comes out, what its address is called, and the shape of a row.
        indices: what the sums call the rows of a step before, and at which index these are.
        aliases: what the sums call signals, and what the kernel does.
        choices: by the rows of a thread, at most: whether threads share them.
    """

    def __init__(self, code: Compiled, n_threads: int, outside: tuple[str, ...]):
        self.code, self.n_threads = code, n_threads
        self.sums = sum_calls(code, n_threads) if code.program.totals else None
        self.own = [name for name in code.layout.kept if name not in outside]
        self.last = [(f"last {name}", code.shapes[name]) for name in code.layout.states]
        needs = self.sums.needs if self.sums else []
        self.indices = [(need, need[6:]) for need in needs if need.startswith("index ")]
        self.aliases = [(need, f"rows {need[4:]}") for need in needs if need.startswith("own ")]
        self.choices: dict[int, Choice] = {}


@lru_cache(maxsize=512)
def _calls(code: Compiled, n_threads: int, outside: tuple[str, ...]) -> _Calls:
    return _Calls(code, n_threads, outside)


class _Half:
    """One direction of a fold over a schedule.

    Attributes:
        code: the program.
        last: for each state that comes out, what its address is called, and its shape.
    """

    def __init__(self, calls: _Calls, schedule: Schedule):
        steps = Steps(schedule)
        self.code, self._sums, self._n_threads = calls.code, calls.sums, calls.n_threads
        self._jobs, self._n_rows = [Job(calls.code, steps, calls.n_threads)], schedule.n_rows
        shares = [made.share for made in self._jobs[0].templates]
        self._choice: Choice | None = None
        if schedule.n_rows and calls.code.may_share(shares, calls.n_threads):
            self._jobs.append(Job(calls.code, steps, calls.n_threads, shared=True))
            most = max(share.most for share in shares)
            self._choice = calls.choices.setdefault(most, Choice())
        self._places, self._row_bytes = placed(calls.code, calls.own, schedule.n_rows)
        jobs = max(job.scratch_bytes for job in self._jobs)
        self._scratch_bytes = self._row_bytes + jobs
        self.last = [(need, (schedule.n_sequences, *shape)) for need, shape in calls.last]
        self._held = {need: steps.other(index) for need, index in calls.indices}
        self._indices = {need: address_of(index) for need, index in self._held.items()}
        self._aliases = calls.aliases

    def run(
        self, found: dict[str, int], fixed: Fixed | None, ends: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Run the kernel on every thread, then the sums: the lines of the program's totals.

        `ends` are the states that come out, by what their addresses are called.
        """
        more = self._sums.scratch_bytes if self._sums else 0
        memory, place = new_scratch(self._scratch_bytes + more)
        for need, offset in self._places:
            found[need] = place + offset
        values = self._computed(found, fixed) if fixed else []
        way = self._choice.way() if self._choice else 0
        rounds, outs = [*self._jobs[way].rounds(found, place + self._row_bytes)], []
        if self._sums is not None:
            found.update(self._indices)
            for need, rows in self._aliases:
                found[need] = found[rows]
            outs, scratch = self._sums.new_results(), place + self._scratch_bytes
            rounds.append(self._sums.round(found, outs, self._n_rows, scratch))
        start = perf_counter()
        run(rounds, self._n_threads)
        if self._choice:
            self._choice.took(way, (perf_counter() - start) / self._n_rows)
        del memory, values  # all of it has been read
        if self._sums is None:
            return {}
        return closed(self.code, self._sums.shaped(outs), fixed, ends)

    def _computed(self, found: dict[str, int], fixed: Fixed) -> list[Tensor]:
        """The values of what is computed of parameters alone."""
        values = [fixed(node).contiguous() for node in self.code.computed]
        found.update(zip(self.code.computed.values(), map(_address, values), strict=True))
        return values


class _Arrays(NamedTuple):
    """A bound cell's arrays in order, for any schedule: shapes of rows, and what drafts call them.

    Attributes:
        inputs, edges: the shapes of their rows; `parameters`: shapes.
        needs: of all of them; `sent`: of the cotangents of the output and of the last states.
        d_inputs, d_parameters: the names of cotangents.
    """

    inputs: list[tuple[int, ...]]
    edges: list[tuple[int, ...]]
    parameters: list[tuple[int, ...]]
    needs: list[str]
    sent: list[str]
    d_inputs: tuple[str, ...]
    d_parameters: list[str]


@lru_cache(maxsize=512)
def _arrays(bound: Bound) -> _Arrays:
    whole = bound.compiled
    system, names = whole.forward.system, whole.names
    outside = shapes_outside(system, dict(bound.sizes))
    arrays = {"rows": system.inputs, "edge": system.states, "parameter": system.parameters}
    return _Arrays(
        inputs=[outside[name] for name in system.inputs],
        edges=[outside[name] for name in system.states],
        parameters=[outside[name] for name in system.parameters],
        needs=[f"{kind} {name}" for kind, known in arrays.items() for name in known],
        sent=[f"rows {whole.out}", *(f"edge {whole.previous[s]}" for s in system.states)],
        d_inputs=tuple(names[name] for name in system.inputs),
        d_parameters=[names[name] for name in system.parameters],
    )


class Prepared:
    """A bound cell's fold over one schedule.

    Arrays come in the cell's order: inputs [R, ·], initial states [B, ·], parameters; R is the
    number of live rows.
    """

    def __init__(
        self,
        bound: Bound,
        schedule: Schedule,
        n_threads: int,
        precision: Precision,
        target: Target,
    ):
        self._bound, self._schedule, self._n_threads = bound, schedule, n_threads
        self._precision, self._target = precision, target
        self._dtype, self._arrays = DTYPES[precision], _arrays(bound)
        self._system, self._kept = bound.compiled.forward.system, bound.compiled.kept[1:]
        inputs = [(schedule.n_rows, *shape) for shape in self._arrays.inputs]
        edges = [(schedule.n_sequences, *shape) for shape in self._arrays.edges]
        self._shapes = [*inputs, *edges, *self._arrays.parameters]

    def _compiled(self, direction: Direction, keep: tuple[str, ...]) -> Compiled:
        return compiled(self._bound, direction, keep, self._precision, self._target)

    def _half(self, direction: Direction, keep: tuple[str, ...]) -> _Half:
        code = self._compiled(direction, keep)
        return _Half(_calls(code, self._n_threads, keep), self._schedule)

    @cached_property
    def _inference(self) -> _Half:
        return self._half("forward", (self._system.output,))

    @cached_property
    def _forward(self) -> _Half:
        return self._half("forward", (self._system.output, *self._kept))

    @cached_property
    def _backward(self) -> _Half:
        return self._half("backward", self._arrays.d_inputs)

    @cached_property
    def _kept_places(self) -> tuple[list[tuple[str, int]], int]:
        return placed(self._forward.code, self._kept, self._schedule.n_rows)

    def fits(self, tensors: Sequence[Tensor], *, keep: bool) -> bool:
        """Whether arrays have the form that it takes, and it makes all that is asked for."""
        in_form = have_form(tensors, self._dtype, self._shapes)
        return in_form and (self._forward if keep else self._inference).code.makes_all

    @cached_property
    def has_backward(self) -> bool:
        """Whether the backward makes all that is asked for, without a copy."""
        code = self._backward.code
        return code.makes_all and not any(plan.copied for plan in plans(code))

    def _fixed(self, half: _Half, tensors: Sequence[Tensor]) -> Fixed | None:
        """What computes what is fixed and no parameter, if any of it is needed."""
        code, names = half.code, self._system.parameters
        if not code.computes:
            return None
        parameters = dict(zip(names, tensors[len(tensors) - len(names) :], strict=True))
        return Fixed(parameters, code.constants, code.sizes, self._dtype)

    def forward(
        self, tensors: Sequence[Tensor], *, keep: bool
    ) -> tuple[list[Tensor], Tensor | None]:
        """The output's rows and the last states, then what the backward needs, if it is to come."""
        half = self._forward if keep else self._inference
        found = dict(zip(self._arrays.needs, map(_address, tensors), strict=True))
        like, kept = tensors[0], None
        if keep:
            places, n_bytes = self._kept_places
            kept = new_rows(like, (n_bytes // half.code.item_bytes,))
            start = kept.data_ptr()
            for need, offset in places:
                found[need] = start + offset
        output = self._system.output
        y = like.new_empty((self._schedule.n_rows, *half.code.shapes[output]))
        found[f"rows {output}"] = y.data_ptr()
        ends = self._ends(half, found, like)
        half.run(found, self._fixed(half, tensors), ends)
        return [y, *(ends[f"last {name}"] for name in self._system.states)], kept

    def _ends(self, half: _Half, found: dict[str, int], like: Tensor) -> dict[str, Tensor]:
        """Arrays for the states that come out."""
        ends = {need: like.new_empty(shape) for need, shape in half.last}
        for need, end in ends.items():
            found[need] = end.data_ptr()
        return ends

    def backward(
        self, tensors: Sequence[Tensor], y: Tensor, kept: Tensor, sent: Sequence[Tensor]
    ) -> list[Tensor]:
        """The cotangents of all arrays, given those of the output and of the last states."""
        half, whole = self._backward, self._bound.compiled
        found = dict(zip(self._arrays.needs, map(_address, tensors), strict=True))
        found.update(zip(self._arrays.sent, map(_address, sent), strict=True))
        found[f"rows {self._system.output}"] = y.data_ptr()
        start = kept.data_ptr()
        for need, offset in self._kept_places[0]:
            found[need] = start + offset
        like, rows = tensors[0], []
        for name in self._arrays.d_inputs:
            rows.append(like.new_empty((self._schedule.n_rows, *half.code.shapes[name])))
            found[f"rows {name}"] = rows[-1].data_ptr()
        ends = self._ends(half, found, like)
        totals = half.run(found, self._fixed(half, tensors), ends)
        d_parameters = [totals[name] for name in self._arrays.d_parameters]
        parameters = tensors[len(tensors) - len(d_parameters) :]
        pairs = zip(d_parameters, parameters, strict=True)
        return [
            *rows,
            *(ends[f"last {whole.previous[name]}"] for name in self._system.states),
            *(d if d.shape == p.shape else d.expand_as(p) for d, p in pairs),
        ]

    def rows_of(self, y: Tensor, kept: Tensor) -> list[Tensor]:
        """The output's rows, and those of all that was kept, one tensor a signal."""
        code, found = self._forward.code, {f"rows {self._system.output}": y}
        for (need, offset), name in zip(self._kept_places[0], self._kept, strict=True):
            shape, first = (self._schedule.n_rows, *code.shapes[name]), offset // code.item_bytes
            found[need] = kept[first : first + prod(shape)].view(shape)
        return [found[f"rows {name}"] for name in self._bound.compiled.kept]


@lru_cache(maxsize=64)
def prepared(
    bound: Bound, schedule: Schedule, n_threads: int, precision: Precision, target: Target
) -> Prepared:
    """The prepared fold, kept while batches of the same shape come."""
    return Prepared(bound, schedule, n_threads, precision, target)
