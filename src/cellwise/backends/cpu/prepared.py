"""A fold over one schedule with everything prepared but addresses: the way of calls by autograd.

`Sweep` does the same with arrays of any form, one tensor a signal. Here arrays have one form, and
all that the forward keeps for the backward lies in one piece of memory. A small fold takes longer
to call than to compute.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from math import prod
from operator import attrgetter
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from cellwise.backends.base import Bound, Direction
from cellwise.backends.cpu.calls import function as calls_function
from cellwise.backends.cpu.choice import Choice
from cellwise.backends.cpu.compiled import Compiled, compiled, shapes_outside
from cellwise.backends.cpu.drafts import At
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.memory import give_scratch, new_rows, take_scratch
from cellwise.backends.cpu.precisions import DTYPES
from cellwise.backends.cpu.ready import MEMORY, Ready, Rounds
from cellwise.backends.cpu.results import Results
from cellwise.backends.cpu.rows_memory import on_lines, placed
from cellwise.backends.cpu.sum_calls import plans, sum_calls
from cellwise.backends.cpu.sweep import Job
from cellwise.backends.cpu.target import Precision, Target
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
        sums: the calls behind the kernel, if there are any, and their `results`.
        own: the signals over all rows that are made for the sweep alone.
        needs: what a call knows beside its arrays: what is computed of parameters, and results.
        indices: what the sums call the rows of a step before, and at which index these are.
        aliases: what the sums call signals, and what the kernel does.
        choices: by the rows of a thread, at most: whether threads share them.
    """

    def __init__(self, code: Compiled, n_threads: int, outside: tuple[str, ...]):
        self.code, self.n_threads = code, n_threads
        self.sums = sum_calls(code, n_threads) if code.program.totals else None
        self.results = Results(code, self.sums) if self.sums else None
        self.own = [name for name in code.layout.kept if name not in outside]
        needs = self.sums.needs if self.sums else []
        self.indices = [(need, need[6:]) for need in needs if need.startswith("index ")]
        self.aliases = [(need, f"rows {need[4:]}") for need in needs if need.startswith("own ")]
        results = self.results.needs if self.results else []
        self.needs = [*code.computed.values(), *results]
        self.choices: dict[int, Choice] = {}


@lru_cache(maxsize=512)
def _calls(code: Compiled, n_threads: int, outside: tuple[str, ...]) -> _Calls:
    return _Calls(code, n_threads, outside)


class _Half:
    """One direction of a fold over a schedule.

    Args:
        needs: the arrays of a call, in order.
        kept: signals that lie in one array, `kept`, and where.
        last: the states that come out and are wanted, in order.

    Attributes:
        code: the program.
        ends: the shapes of rows of the states that are wanted.
    """

    def __init__(
        self,
        calls: _Calls,
        schedule: Schedule,
        needs: Sequence[str],
        kept: Sequence[tuple[str, int]],
        last: Sequence[str],
    ):
        steps = Steps(schedule)
        self.code, self._sums, self._calls = calls.code, calls.sums, calls
        jobs, self._n_rows = [Job(calls.code, steps, calls.n_threads)], schedule.n_rows
        shares = [made.share for made in jobs[0].templates]
        self._choice: Choice | None = None
        if schedule.n_rows and calls.code.may_share(shares, calls.n_threads):
            jobs.append(Job(calls.code, steps, calls.n_threads, shared=True))
            most = max(share.most for share in shares)
            self._choice = calls.choices.setdefault(most, Choice())
        self._last = [f"last {name}" for name in last]
        self.ends = [calls.code.shapes[name] for name in last]
        self._held = jobs, {need: steps.other(index) for need, index in calls.indices}
        places, self._row_bytes = placed(calls.code, calls.own, schedule.n_rows)
        known: dict[str, At | int] = {need: At(MEMORY, offset) for need, offset in places}
        known |= {need: At("kept", offset) for need, offset in kept}
        for name in calls.code.layout.states:
            if name in last:
                continue
            known[f"last {name}"] = At(MEMORY, self._row_bytes)
            n_bytes = schedule.n_sequences * prod(calls.code.shapes[name]) * calls.code.item_bytes
            self._row_bytes += on_lines(n_bytes)
        known |= {need: address_of(index) for need, index in self._held[1].items()}
        known |= {need: known.get(rows, At(rows)) for need, rows in calls.aliases}
        known |= calls.results.places if calls.results else {}
        known["count"] = schedule.n_rows
        order = [MEMORY, *needs, *self._last, *calls.needs]
        self._ready = [self._made(job, known, order) for job in jobs]

    def _made(
        self, job: Job, known: Mapping[str, At | int], order: Sequence[str]
    ) -> tuple[Ready, int]:
        """The rounds of a call, and how much memory it takes."""
        rounds, at = Rounds(), self._row_bytes
        packing, kernel = job.tasks(rounds, known, at)
        rounds.add(calls_function(), packing)
        rounds.add(self.code.address, kernel)
        at += job.scratch_bytes
        if self._sums is not None:
            rounds.add(calls_function(), self._sums.tasks(rounds, known, at))
            at += self._sums.scratch_bytes
        at = on_lines(at)
        ready = rounds.ready(order, at, self._calls.n_threads)
        return ready, at + ready.n_bytes

    def run(
        self, addresses: Sequence[int], fixed: Fixed | None, ends: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Run the kernel on every thread, then the sums: the lines of the program's totals.

        `addresses` are those of the arrays, `ends` the states that come out.
        """
        way = self._choice.way() if self._choice else 0
        ready, n_bytes = self._ready[way]
        scratch = take_scratch(n_bytes)
        values = [fixed(node).contiguous() for node in self.code.computed] if fixed else []
        results = self._calls.results
        outs = results.new() if results else []
        whole = array("q", (scratch.address, *addresses, *map(_address, (*ends, *values, *outs))))
        start = perf_counter()
        ready.run(whole)
        if self._choice:
            self._choice.took(way, (perf_counter() - start) / self._n_rows)
        give_scratch(scratch)
        if results is None:
            return {}
        return results.lines(outs, fixed, dict(zip(self._last, ends, strict=True)))


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
    number of live rows. `padded`: inputs and the output are [T, B, ·], last states [1, B, ·].
    """

    def __init__(
        self,
        bound: Bound,
        schedule: Schedule,
        n_threads: int,
        precision: Precision,
        target: Target,
        padded: bool = False,
    ):
        n_steps, n_sequences = len(schedule.sizes), schedule.n_sequences
        self.padded = padded
        self._lead = (n_steps, n_sequences) if padded else (schedule.n_rows,)
        self._end_lead = (1, n_sequences) if padded else (n_sequences,)
        self._bound, self._schedule, self._n_threads = bound, schedule, n_threads
        self._precision, self._target = precision, target
        self._dtype, self._arrays = DTYPES[precision], _arrays(bound)
        self._system, self._kept = bound.compiled.forward.system, bound.compiled.kept[1:]
        inputs = [(*self._lead, *shape) for shape in self._arrays.inputs]
        edges = [(schedule.n_sequences, *shape) for shape in self._arrays.edges]
        self._shapes = [*inputs, *edges, *self._arrays.parameters]

    def _compiled(self, direction: Direction, keep: tuple[str, ...]) -> Compiled:
        return compiled(self._bound, direction, keep, self._precision, self._target)

    @property
    def _no_ends(self) -> list[None]:
        return [None] * len(self._arrays.edges)

    @cached_property
    def _inference(self) -> _Half:
        return self._upward(keep=False)

    @cached_property
    def _forward(self) -> _Half:
        return self._upward(keep=True)

    def _upward(self, *, keep: bool) -> _Half:
        system = self._system
        signals = (system.output, *(self._kept if keep else ()))
        code = self._compiled("forward", signals)
        needs = [*self._arrays.needs, f"rows {system.output}", "kept"]
        places = self._kept_places[0] if keep else ()
        calls = _calls(code, self._n_threads, signals)
        return _Half(calls, self._schedule, needs, places, tuple(system.states))

    @cached_property
    def _backward(self) -> _Half:
        arrays, previous = self._arrays, self._bound.compiled.previous
        code = self._compiled("backward", arrays.d_inputs)
        rows = map("rows {}".format, arrays.d_inputs)
        needs = [*arrays.needs, *arrays.sent, f"rows {self._system.output}", "kept", *rows]
        last = tuple(previous[name] for name in self._system.states)
        unwanted = self.padded and not code.expressions  # nobody has given initial states
        calls = _calls(code, self._n_threads, arrays.d_inputs)
        places = self._kept_places[0]
        return _Half(calls, self._schedule, needs, places, () if unwanted else last)

    @cached_property
    def _kept_places(self) -> tuple[list[tuple[str, int]], int]:
        code = self._compiled("forward", (self._system.output, *self._kept))
        return placed(code, self._kept, self._schedule.n_rows)

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
        like = tensors[0]
        y = like.new_empty((*self._lead, *half.code.shapes[self._system.output]))
        kept = new_rows(like, (self._kept_places[1] // half.code.item_bytes,)) if keep else None
        ends = [like.new_empty((*self._end_lead, *shape)) for shape in half.ends]
        arrays = (*tensors, y, y if kept is None else kept)
        half.run([*map(_address, arrays)], self._fixed(half, tensors), ends)
        return [y, *ends], kept

    def backward(
        self, tensors: Sequence[Tensor], y: Tensor, kept: Tensor, sent: Sequence[Tensor]
    ) -> list[Tensor | None]:
        """The cotangents of all arrays, given those of the output and of the last states."""
        half, arrays, like = self._backward, self._arrays, tensors[0]
        rows = [like.new_empty((*self._lead, *half.code.shapes[name])) for name in arrays.d_inputs]
        ends = [like.new_empty((self._schedule.n_sequences, *shape)) for shape in half.ends]
        addresses = [*map(_address, (*tensors, *sent, y, kept, *rows))]
        totals = half.run(addresses, self._fixed(half, tensors), ends)
        d_parameters = [totals[name] for name in arrays.d_parameters]
        parameters = tensors[len(tensors) - len(d_parameters) :]
        pairs = zip(d_parameters, parameters, strict=True)
        return [
            *rows,
            *(ends or self._no_ends),
            *(d if d.shape == p.shape else d.expand_as(p) for d, p in pairs),
        ]

    def rows_of(self, y: Tensor, kept: Tensor) -> list[Tensor]:
        """The output's rows, and those of all that was kept, one tensor a signal."""
        flat = y.flatten(0, 1) if self.padded else y
        code, found = self._forward.code, {f"rows {self._system.output}": flat}
        for (need, offset), name in zip(self._kept_places[0], self._kept, strict=True):
            shape, first = (self._schedule.n_rows, *code.shapes[name]), offset // code.item_bytes
            found[need] = kept[first : first + prod(shape)].view(shape)
        return [found[f"rows {name}"] for name in self._bound.compiled.kept]


@lru_cache(maxsize=64)
def prepared(
    bound: Bound,
    schedule: Schedule,
    n_threads: int,
    precision: Precision,
    target: Target,
    padded: bool = False,
) -> Prepared:
    """The prepared fold, kept while batches of the same shape come."""
    return Prepared(bound, schedule, n_threads, precision, target, padded)
