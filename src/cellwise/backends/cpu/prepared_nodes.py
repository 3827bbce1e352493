"""A fold over one forest with everything prepared but addresses: the way of calls by autograd.

As `prepared` for sequences. Most is the same for all forests: while a network is trained, each one
is folded over once. The programs of the leaves and of the levels go to the threads in one call, and
so do the sums behind them.
"""

from __future__ import annotations

import weakref
from array import array
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cellwise.backends.base import NodesBound
from cellwise.backends.cpu.calls import function
from cellwise.backends.cpu.drafts import At
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.frames import Template
from cellwise.backends.cpu.memory import give_scratch, new_rows, take_scratch
from cellwise.backends.cpu.node_halves import Half, NodesCell, Program, nodes_cell
from cellwise.backends.cpu.node_moves import Moves
from cellwise.backends.cpu.node_work import NodeRows
from cellwise.backends.cpu.prepared import have_form
from cellwise.backends.cpu.ready import MEMORY, Ready, Rounds
from cellwise.backends.cpu.rows_memory import Rows, on_lines
from cellwise.backends.cpu.sweep import Job
from cellwise.backends.cpu.target import Precision, Target
from cellwise.backends.cpu.work import address_of
from cellwise.backends.nodes import Nodes
from cellwise.errors import BackendError

_address = Tensor.data_ptr


class _Part(NamedTuple):
    """A program's work over one forest.

    Attributes:
        known: what is known of what it needs.
        place: where in the call's memory its scratch memory begins: the kernel's, then the sums'.
    """

    program: Program
    job: Job
    known: dict[str, At | int]
    place: int


class _Sweep:
    """One direction of a fold over one forest.

    Args:
        half: the programs.
        nodes: the forest.
        received: what the fold has in an order of its own, beside what it keeps.
        needs: the arrays of a call, in order, and the signals that lie in one, `kept`.
        after: rows that are moved at the end.
    """

    def __init__(
        self,
        half: Half,
        nodes: Nodes,
        received: Rows,
        needs: tuple[Sequence[str], Rows],
        after: Moves,
    ):
        self._half, self._after, self._held = half, after, list[object]()
        self._order = [MEMORY, *needs[0], *half.needs]
        n_rows, at = nodes.n_rows, 0
        known: dict[str, At | int] = {**half.absent}
        known |= {need: At("kept", place) for need, place in needs[1].places(n_rows).items()}
        for rows in (half.passed, received):
            known |= {need: At(MEMORY, at + place) for need, place in rows.places(n_rows).items()}
            at += rows.n_bytes(n_rows)
        self._known, self._parts = known, list[_Part]()
        for program in half.programs:
            part = self._part(program, nodes, at)
            self._parts.append(part)
            at = on_lines(part.place + part.job.scratch_bytes + program.scratch_bytes)
        self._n_bytes = at

    def _part(self, program: Program, nodes: Nodes, at: int) -> _Part:
        """A program's work; what is its own begins at this place in the call's memory."""
        half, own = self._half, program.own
        extent = NodeRows(nodes, leaf=program.leaf, backward=half.whole.backward)
        known = self._known | program.named
        for need, place in own.places(nodes.n_rows).items():
            known[need] = At(MEMORY, at + place)
        for need, key in program.indices:
            other = extent.other(key)
            known[need] = address_of(other)
            self._held.append(other)
        known |= program.summed_from(known, extent.start)
        known["count"] = extent.n_rows
        job = Job(program.code, extent, half.n_threads, Template)
        return _Part(program, job, known, at + own.n_bytes(nodes.n_rows))

    def ready(self, before: Sequence[Moves]) -> Ready:
        """What is done in a call: rows moved, the programs, then the sums."""
        rounds, known, n_threads = Rounds(), self._known, self._half.n_threads
        packing, kernels, sums = [], [], []
        for program, job, mine, place in self._parts:
            packed, kernel = job.tasks(rounds, mine, place)
            packing += packed
            kernels.append((program.code.address, kernel))
            if program.sums:
                sums += program.sums.tasks(rounds, mine, place + job.scratch_bytes)
        moves = [one.tasks(rounds, known) for one in before]
        rounds.add(function(), packing + moves[0])
        for tasks in moves[1:]:
            rounds.add(function(), tasks)
        for address, tasks in kernels:
            rounds.add(address, tasks)
        rounds.add(function(), sums + self._after.tasks(rounds, known))
        return rounds.ready(self._order, self._n_bytes, n_threads)

    def run(
        self, ready: Ready, addresses: Sequence[int], parameters: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Do it, where the arrays lie at these addresses: the lines of the programs' totals."""
        half = self._half
        scratch = take_scratch(self._n_bytes + ready.n_bytes)
        fixed: list[Fixed | None] = [None] * len(half.programs)
        values: list[Tensor] = []
        if half.computes:
            fixed = [program.fixed(parameters) for program in half.programs]
            for program, found in zip(half.programs, fixed, strict=True):
                values += program.compute(found) if found else ()
        outs = [program.results.new() if program.results else [] for program in half.programs]
        made = map(_address, chain(values, *outs))
        ready.run(array("q", (scratch.address, *addresses, *made)))
        give_scratch(scratch)
        return half.totals(outs, fixed)


class PreparedNodes:
    """A bound cell's fold over one forest.

    The input has a row for each node, or one for each leaf, if that is how many `n_inputs` are.
    Arrays come and go in the forest's order; the fold has its own.
    """

    def __init__(self, cell: NodesCell, nodes: Nodes, n_inputs: int):
        self._cell, self._forest = cell, weakref.ref(nodes)  # which keeps this fold
        self._shape = (n_inputs, *cell.shape)
        self._whole = n_inputs == nodes.n_rows  # leaves alone lie as they are
        self._needs = [
            f"given {cell.input}" if self._whole else f"rows {cell.input}",
            *(f"parameter {name}" for name in cell.parameters),
        ]
        self._ready: dict[tuple[bool, ...], Ready] = {}

    @property
    def _nodes(self) -> Nodes:
        nodes = self._forest()
        assert nodes is not None  # whoever calls has them
        return nodes

    @cached_property
    def _inference(self) -> tuple[_Sweep, Ready]:
        return self._upward(keep=False)

    @cached_property
    def _forward(self) -> tuple[_Sweep, Ready]:
        return self._upward(keep=True)

    def _upward(self, *, keep: bool) -> tuple[_Sweep, Ready]:
        cell, nodes = self._cell, self._nodes
        half = cell.forward if keep else cell.inference
        sorted_ = {cell.input: cell.shape} if self._whole else {}
        after = self._moves()
        after.take("y", f"rows {cell.output}", nodes.rank, prod(cell.results[cell.output]))
        for name in cell.states:
            after.take(f"end {name}", f"rows {name}", nodes.ends, prod(cell.results[name]))
        received = Rows(sorted_, cell.dtype.itemsize)
        needs = [*self._needs, "kept", "y", *(f"end {name}" for name in cell.states)]
        sweep = _Sweep(half, nodes, received, (needs, half.kept), after)
        before = self._moves()
        for name, leaf in cell.gaps(keep=keep):
            self._clear(before, name, leaf=leaf, width=prod(half.whole.shape(name)))
        self._sort_inputs(before)
        return sweep, sweep.ready([before])

    @cached_property
    def _backward(self) -> _Sweep:
        cell, nodes = self._cell, self._nodes
        sorted_ = {cell.outs[name]: shape for name, shape in cell.results.items()}
        after, d_input = self._moves(), f"rows {cell.d_input}"
        if self._whole:
            sorted_ |= {cell.input: cell.shape, cell.d_input: cell.shape}
            rank = np.minimum(nodes.rank, nodes.n_leaves) if self._one_row_of_zeros else nodes.rank
            after.take(f"given {cell.d_input}", d_input, rank, prod(cell.shape))
        received = Rows(sorted_, cell.dtype.itemsize)
        needs = [*self._needs, "kept", *self._sent]
        needs.append(f"given {cell.d_input}" if self._whole else d_input)
        return _Sweep(cell.backward, nodes, received, (needs, cell.forward.kept), after)

    def _ready_for(self, sent: Sequence[Tensor | None]) -> Ready:
        """A backward where these are the cotangents that there are."""
        given = tuple(one is not None for one in sent)
        if given not in self._ready:
            self._ready[given] = self._backward.ready(self._receive(*given))
        return self._ready[given]

    def _receive(self, has_y: bool, *has_ends: bool) -> list[Moves]:
        cell, nodes, first, then = self._cell, self._nodes, self._moves(), self._moves()
        for leaf in cell.backward.whole.gaps(cell.d_input):
            self._clear(first, cell.d_input, leaf=leaf, width=prod(cell.shape))
        self._sort_inputs(first)
        for name, shape in cell.results.items():
            rows = f"rows {cell.outs[name]}"
            if has_y and name == cell.output:
                first.take(rows, "d y", nodes.order, prod(shape))
            else:
                first.clear(rows, 0, nodes.n_rows, prod(shape))
        for name, has_end in zip(cell.states, has_ends, strict=True):
            if has_end:
                rows = f"rows {cell.outs[name]}"
                then.add(rows, f"d end {name}", nodes.ends, prod(cell.results[name]))
        return [first, then] if len(then) else [first]

    def _moves(self) -> Moves:
        return Moves(self._cell.form, self._cell.n_threads)

    def _sort_inputs(self, moves: Moves) -> None:
        if self._whole:
            name, width, order = self._cell.input, prod(self._cell.shape), self._nodes.order
            read = order[: self._nodes.n_leaves] if self._only_leaves_read else order
            moves.take(f"rows {name}", f"given {name}", read, width)

    @property
    def _only_leaves_read(self) -> bool:
        """Whether no other node reads the input."""
        return self._cell.input not in self._cell.forward.needs_all

    def _clear(self, moves: Moves, name: str, *, leaf: bool, width: int) -> None:
        """Zeros in the rows of leaves, or in those of the levels."""
        n_leaves, n_rows = self._nodes.n_leaves, self._nodes.n_rows
        if name == self._cell.d_input:
            n_rows = min(self._shape[0], n_leaves + 1) if self._one_row_of_zeros else self._shape[0]
        first, last = (0, n_leaves) if leaf else (n_leaves, n_rows)
        moves.clear(f"rows {name}", first, last, width)

    @property
    def _one_row_of_zeros(self) -> bool:
        """Whether the input's cotangents of all nodes but leaves are taken from the first's."""
        return self._cell.backward.whole.gaps(self._cell.d_input) == [False]

    def fits(self, x: Tensor, parameters: Sequence[Tensor], *, keep: bool) -> bool:
        """Whether arrays have the form that it takes, and it makes all that is asked for."""
        cell = self._cell
        in_form = self._has_rows(cell.forward if keep else cell.inference) and have_form(
            parameters, cell.dtype, cell.shapes
        )
        is_input = x.shape == self._shape and x.dtype is cell.dtype and x.is_cpu
        return in_form and is_input and (cell.has_backward if keep else cell.inference.makes_all)

    def _has_rows(self, half: Half) -> bool:
        """Whether there are inputs for all nodes; or for leaves, if no other node reads them."""
        only_leaves = self._cell.input not in half.needs_all
        return self._whole or (only_leaves and self._shape[0] == self._nodes.n_leaves)

    def forward(
        self, x: Tensor, parameters: Sequence[Tensor], *, keep: bool
    ) -> tuple[list[Tensor], Tensor]:
        """The outputs and the states at the ends; and the memory of what backward needs."""
        cell, nodes, x = self._cell, self._nodes, x.contiguous()
        half = cell.forward if keep else cell.inference
        memory = new_rows(x, (half.kept.n_bytes(nodes.n_rows) // x.itemsize,))
        outs = [x.new_empty((nodes.n_rows, *cell.results[cell.output]))]
        outs += [x.new_empty((len(nodes.ends), *cell.results[name])) for name in cell.states]
        sweep, ready = self._forward if keep else self._inference
        named = self._by_name(parameters, computes=half.computes)
        sweep.run(ready, [*map(_address, (x, *parameters, memory, *outs))], named)
        return outs, memory

    def backward(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        memory: Tensor,
        sent: Sequence[Tensor | None],
    ) -> list[Tensor]:
        """The cotangents of all arrays, given those of what the forward returned.

        Raises:
            BackendError: what was saved comes back in another form.
        """
        cell, x = self._cell, x.contiguous()
        if not self.fits(x, parameters, keep=True) or memory.dtype is not cell.dtype:
            raise BackendError(
                "what was saved for the backward has come back in another type or shape: hooks of "
                "saved tensors must give back what they were given"
            )
        whole = [None if one is None else one.contiguous() for one in sent]
        d_x = torch.empty_like(x)
        places = [0 if one is None else one.data_ptr() for one in whole]
        addresses = [*map(_address, (x, *parameters, memory)), *places, d_x.data_ptr()]
        named = self._by_name(parameters, computes=cell.backward.computes)
        totals = self._backward.run(self._ready_for(whole), addresses, named)
        pairs = zip(cell.d_parameters, parameters, strict=True)
        return [d_x, *(_shaped(totals.get(name), parameter) for name, parameter in pairs)]

    @property
    def _sent(self) -> list[str]:
        return ["d y", *(f"d end {name}" for name in self._cell.states)]

    def _by_name(self, parameters: Sequence[Tensor], *, computes: bool) -> dict[str, Tensor]:
        """The parameters, if anything is computed of them ahead of the rows."""
        return dict(zip(self._cell.parameters, parameters, strict=True)) if computes else {}


def _shaped(total: Tensor | None, parameter: Tensor) -> Tensor:
    """A parameter's cotangent; zeros where nothing reads it."""
    if total is None:
        return torch.zeros_like(parameter)
    return total if total.shape == parameter.shape else total.expand_as(parameter)


def prepared_nodes(
    bound: NodesBound,
    nodes: Nodes,
    n_inputs: int,
    n_threads: int,
    form: tuple[Precision, Target],
) -> PreparedNodes:
    """The prepared fold, kept with the nodes."""
    key = bound, n_inputs, n_threads, form
    found: PreparedNodes | None = nodes.works.get(key)
    if found is None:
        found = nodes.works[key] = PreparedNodes(
            nodes_cell(bound, n_threads, *form), nodes, n_inputs
        )
    return found
