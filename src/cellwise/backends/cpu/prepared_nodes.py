"""A fold over one forest with everything prepared but addresses: the way of calls by autograd.

As `prepared` for sequences. Most is the same for all forests: while a network is trained, each one
is folded over once. The programs of the leaves and of the levels go to the threads in one call, and
so do the sums behind them.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from cellwise.backends.base import NodesBound
from cellwise.backends.cpu.frames import Template
from cellwise.backends.cpu.memory import new_rows, new_scratch
from cellwise.backends.cpu.node_halves import Half, NodesCell, nodes_cell
from cellwise.backends.cpu.node_moves import Moves
from cellwise.backends.cpu.node_work import NodeRows
from cellwise.backends.cpu.parallel import joined, run
from cellwise.backends.cpu.prepared import have_form
from cellwise.backends.cpu.rows_memory import Rows
from cellwise.backends.cpu.sweep import Job
from cellwise.backends.cpu.target import Precision, Target
from cellwise.backends.cpu.work import address_of
from cellwise.backends.nodes import Nodes
from cellwise.errors import BackendError

_address = Tensor.data_ptr


class _Sweep:
    """One direction of a fold over one forest.

    Args:
        half: the programs.
        nodes: the forest.
        received: what the fold has in an order of its own, beside what it keeps.
        after: rows that are moved at the end.
    """

    def __init__(self, half: Half, nodes: Nodes, received: Rows, after: Moves):
        self._half, self._n_rows, self._received = half, nodes.n_rows, received
        self._after = after
        backward, n_threads = half.whole.backward, half.n_threads
        pairs = [(p, NodeRows(nodes, leaf=p.leaf, backward=backward)) for p in half.programs]
        self._work = [
            (p, (rows.start, rows.n_rows), Job(p.code, rows, n_threads, Template))
            for p, rows in pairs
        ]
        self._others = [{need: rows.other(key) for need, key in p.indices} for p, rows in pairs]
        self._indices = [
            {need: address_of(rows) for need, rows in others.items()} for others in self._others
        ]
        self._bytes = half.passed.n_bytes(self._n_rows) + received.n_bytes(self._n_rows)
        for program, _, job in self._work:
            own = program.own.n_bytes(self._n_rows)
            self._bytes += own + job.scratch_bytes + program.scratch_bytes

    def run(
        self, found: dict[str, int], parameters: Mapping[str, Tensor], before: Sequence[Moves]
    ) -> dict[str, Tensor]:
        """Move rows, run the programs, then the sums: the lines of the programs' totals."""
        half = self._half
        memory, place = new_scratch(self._bytes)
        for rows in (half.passed, self._received):
            place = rows.place(found, place, self._n_rows)
        found.update(half.absent)
        packings, kernels, sums, outs, held = [], [], [], [], []
        fixed = [program.fixed(parameters) for program in half.programs]
        for (program, extent, job), indices, values in zip(
            self._work, self._indices, fixed, strict=True
        ):
            mine = found.copy()
            place = program.own.place(mine, place, self._n_rows)
            held += program.compute(mine, values) if values else []
            packing, kernel = job.rounds(mine, place)
            packings.append(packing)
            kernels.append(kernel)
            place += job.scratch_bytes
            outs.append(program.sums.new_results() if program.sums else [])
            if program.sums:
                mine.update(indices)
                start, n_rows = extent
                program.sum_from(mine, start)
                sums.append(program.sums.round(mine, outs[-1], n_rows, place))
                place += program.scratch_bytes
        first, *others = [moves.round(found) for moves in before]
        sums.append(self._after.round(found))
        run([joined([*packings, first]), *others, *kernels, joined(sums)], half.n_threads)
        del memory, held  # all of it has been read
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
        self._received: dict[tuple[bool, ...], list[Moves]] = {}

    @property
    def _nodes(self) -> Nodes:
        nodes = self._forest()
        assert nodes is not None  # whoever calls has them
        return nodes

    @cached_property
    def _inference(self) -> _Sweep:
        return self._upward(self._cell.inference)

    @cached_property
    def _forward(self) -> _Sweep:
        return self._upward(self._cell.forward)

    def _upward(self, half: Half) -> _Sweep:
        cell, nodes = self._cell, self._nodes
        sorted_ = {cell.input: cell.shape} if self._whole else {}
        after = self._moves()
        after.take("y", f"rows {cell.output}", nodes.rank, prod(cell.results[cell.output]))
        for name in cell.states:
            after.take(f"end {name}", f"rows {name}", nodes.ends, prod(cell.results[name]))
        return _Sweep(half, nodes, Rows(sorted_, cell.dtype.itemsize), after)

    @cached_property
    def _backward(self) -> _Sweep:
        cell, nodes = self._cell, self._nodes
        sorted_ = {cell.outs[name]: shape for name, shape in cell.results.items()}
        after = self._moves()
        if self._whole:
            sorted_ |= {cell.input: cell.shape, cell.d_input: cell.shape}
            d_input = f"rows {cell.d_input}"
            after.take(f"given {cell.d_input}", d_input, nodes.rank, prod(cell.shape))
        return _Sweep(cell.backward, nodes, Rows(sorted_, cell.dtype.itemsize), after)

    @cached_property
    def _before(self) -> list[list[Moves]]:
        """What a forward moves first: of one that keeps nothing, and of one that does."""
        found = []
        for keep in (False, True):
            moves, cell = self._moves(), self._cell
            half = cell.forward if keep else cell.inference
            for name, leaf in cell.gaps(keep=keep):
                self._clear(moves, name, leaf=leaf, width=prod(half.whole.shape(name)))
            self._sort_inputs(moves)
            found.append([moves])
        return found

    def _before_backward(self, sent: Sequence[Tensor | None]) -> list[Moves]:
        """What a backward moves first, where these are the cotangents that there are."""
        given = tuple(one is not None for one in sent)
        if given not in self._received:
            self._received[given] = self._receive(*given)
        return self._received[given]

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
            name, width = self._cell.input, prod(self._cell.shape)
            moves.take(f"rows {name}", f"given {name}", self._nodes.order, width)

    def _clear(self, moves: Moves, name: str, *, leaf: bool, width: int) -> None:
        """Zeros in the rows of leaves, or in those of the levels."""
        n_leaves, n_rows = self._nodes.n_leaves, self._nodes.n_rows
        if name == self._cell.d_input:
            n_rows = self._shape[0]
        first, last = (0, n_leaves) if leaf else (n_leaves, n_rows)
        moves.clear(f"rows {name}", first, last, width)

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
        found = self._found(x, parameters)
        half.kept.place(found, memory.data_ptr(), nodes.n_rows)
        outs = [x.new_empty((nodes.n_rows, *cell.results[cell.output]))]
        outs += [x.new_empty((len(nodes.ends), *cell.results[name])) for name in cell.states]
        needs = ["y", *(f"end {name}" for name in cell.states)]
        found.update(zip(needs, map(_address, outs), strict=True))
        sweep = self._forward if keep else self._inference
        named = self._by_name(parameters, computes=half.computes)
        sweep.run(found, named, self._before[keep])
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
        found = self._found(x, parameters)
        cell.forward.kept.place(found, memory.data_ptr(), self._nodes.n_rows)
        whole = [None if one is None else one.contiguous() for one in sent]
        for need, one in zip(self._sent, whole, strict=True):
            if one is not None:
                found[need] = one.data_ptr()
        d_x = torch.empty_like(x)
        found[f"{'given' if self._whole else 'rows'} {cell.d_input}"] = d_x.data_ptr()
        named = self._by_name(parameters, computes=cell.backward.computes)
        totals = self._backward.run(found, named, self._before_backward(whole))
        pairs = zip(cell.d_parameters, parameters, strict=True)
        return [d_x, *(_shaped(totals.get(name), parameter) for name, parameter in pairs)]

    @property
    def _sent(self) -> list[str]:
        return ["d y", *(f"d end {name}" for name in self._cell.states)]

    def _found(self, x: Tensor, parameters: Sequence[Tensor]) -> dict[str, int]:
        return dict(zip(self._needs, map(_address, (x, *parameters)), strict=True))

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
