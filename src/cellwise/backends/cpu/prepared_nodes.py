"""A fold over one forest with everything prepared but addresses: the way of calls by autograd.

As `prepared` for sequences. Most is the same for all forests: while a network is trained, each one
is folded over once. The programs of the leaves and of the levels go to the threads in one call, and
so do the sums behind them.
"""

from __future__ import annotations

import weakref
from collections.abc import Container, Mapping, Sequence
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from cellwise.backends.base import Direction, NodesBound
from cellwise.backends.cpu.compiled import shapes_outside
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.frames import Template
from cellwise.backends.cpu.memory import new_rows, new_scratch
from cellwise.backends.cpu.node_programs import Part, Whole, programs
from cellwise.backends.cpu.node_work import NodeRows
from cellwise.backends.cpu.parallel import joined, run
from cellwise.backends.cpu.precisions import DTYPES
from cellwise.backends.cpu.prepared import have_form
from cellwise.backends.cpu.rows_memory import Rows
from cellwise.backends.cpu.sum_calls import plans, sum_calls
from cellwise.backends.cpu.sweep import Job
from cellwise.backends.cpu.target import Precision, Target
from cellwise.backends.cpu.totals import closed
from cellwise.backends.cpu.work import address_of
from cellwise.backends.nodes import Nodes
from cellwise.errors import BackendError
from cellwise.passes.rows import RowPrograms

_address = Tensor.data_ptr


class _Program:
    """One program, for any forest.

    Args:
        passed: the signals that other programs read, or the user.

    Attributes:
        own: the signals over rows that are nobody else's; another program may have some of the
            same names.
        sums: what is summed over the rows, if anything is.
        scratch_bytes: what the sums take.
        indices: how drafts call the neighbours that the sums read, and at which index these are.
    """

    def __init__(self, part: Part, n_threads: int, passed: Container[str]):
        self.code, self.leaf, shapes = part.code, part.leaf, part.code.shapes
        own = [n for n in self.code.layout.kept if n not in part.defined or n not in passed]
        self.own = Rows({name: shapes[name] for name in own}, self.code.item_bytes)
        self.sums = sum_calls(self.code, n_threads) if self.code.program.totals else None
        self.scratch_bytes = self.sums.scratch_bytes if self.sums else 0
        needs = [need.partition(" ") for need in (self.sums.needs if self.sums else ())]
        self.indices = [(f"index {key}", key) for kind, _, key in needs if kind == "index"]
        factors = [f for plan in plans(self.code) for f in (plan.first, *plan.others)]
        strides = {factor.name: factor.stride for factor in factors if not factor.index}
        self._summed = [
            (f"own {name}", f"rows {name}", stride * self.code.item_bytes)
            for name, stride in strides.items()
        ]

    def sum_from(self, found: dict[str, int], first_row: int) -> None:
        """Enter where the first row lies of all that is summed."""
        for need, rows, row_bytes in self._summed:
            found[need] = found[rows] + first_row * row_bytes

    def fixed(self, parameters: Mapping[str, Tensor]) -> Fixed | None:
        """What computes what is fixed and no parameter, if any of it is needed."""
        code = self.code
        if not code.computes:
            return None
        return Fixed(parameters, code.constants, code.sizes, DTYPES[code.precision])

    def compute(self, found: dict[str, int], fixed: Fixed) -> list[Tensor]:
        """The values of what is computed of parameters alone."""
        code = self.code
        values = [fixed(node).contiguous() for node in code.computed]
        found.update(zip(code.computed.values(), map(_address, values), strict=True))
        return values


class _Half:
    """One direction of a cell's fold, for any forest.

    Attributes:
        whole: the programs.
        programs: the same in the order in which they run, each with what belongs to it.
        kept: the signals that are given back.
        passed: those that one program makes and another reads.
        absent: what is read of neighbours that are not there: addresses of zeros.
        computes: whether something is computed of parameters.
        needs_all: what comes from outside and is read at nodes that are no leaves.
    """

    def __init__(self, whole: Whole, n_threads: int):
        self.whole, self.n_threads = whole, n_threads
        codes = [part.code for part in whole.parts]
        made = {n: part.code.shapes[n] for part in whole.parts for n in part.made}
        read = {n for part in whole.parts for n in (*part.code.outside, *part.neighbours)}
        sent = {n: shape for n, shape in made.items() if n in read and n not in whole.keep}
        passed = {*sent, *whole.keep}
        self.programs = [_Program(part, n_threads, passed) for part in whole.parts]
        item_bytes = codes[0].item_bytes
        self.passed = Rows(sent, item_bytes)
        self.kept = Rows({name: tuple(whole.shape(name)) for name in whole.keep}, item_bytes)
        self._zeros = torch.zeros(whole.widest, dtype=DTYPES[codes[0].precision], device="cpu")
        absent = dict.fromkeys(name for part in whole.parts for name in part.neighbours)
        self.absent = dict.fromkeys([f"edge {name}" for name in absent], _address(self._zeros))
        self.computes = any(code.computes for code in codes)
        self.needs_all = {name for name, (_, leaves) in whole.outside.items() if not leaves}
        found = [plan for code in codes for plan in plans(code)]
        copied = any(plan.copied or plan.kind == "labelled" for plan in found)
        self.makes_all = not copied and all(code.makes_all for code in codes)

    def totals(
        self, outs: Sequence[Sequence[Tensor]], fixed: Sequence[Fixed | None]
    ) -> dict[str, Tensor]:
        """The lines of the programs' totals; what leaves and levels share is added up."""
        totals: dict[str, Tensor] = {}
        for program, own, values in zip(self.programs, outs, fixed, strict=True):
            if program.sums:
                sums = program.sums.shaped(own)
                for name, total in closed(program.code, sums, values).items():
                    totals[name] = totals[name] + total if name in totals else total
        return totals


class _Cell:
    """A bound cell's fold, for any forest.

    Attributes:
        needs: how drafts call the input and the parameters; `sent`: the results' cotangents.
        shape, shapes: of a row of the input, and of the parameters.
        d_input, d_parameters: the names of cotangents.
        n_results: how many of the kept signals are results; they come first.
    """

    def __init__(
        self, bound: NodesBound, n_threads: int, precision: Precision, target: Target
    ) -> None:
        compiled, self._form = bound.compiled, (precision, target)
        self._bound, self._n_threads, self.dtype = bound, n_threads, DTYPES[precision]
        system, names, (name,) = compiled.forward, compiled.names, compiled.forward.inputs
        self.input, self.parameters = name, list(system.parameters)
        self.needs = [f"rows {name}", *(f"parameter {name}" for name in self.parameters)]
        shapes = shapes_outside(system, dict(bound.sizes))
        self.shape, self.shapes = shapes[name], [shapes[name] for name in self.parameters]
        self.d_input, self.d_parameters = names[name], [names[name] for name in self.parameters]
        self._results, self.n_results = compiled.results, len(compiled.results)
        self.sent = [f"rows {compiled.outs[name]}" for name in compiled.results]

    def _half(self, direction: Direction, keep: tuple[str, ...]) -> _Half:
        return _Half(programs(self._bound, direction, keep, *self._form), self._n_threads)

    @cached_property
    def inference(self) -> _Half:
        """The forward of a call that has no backward."""
        return self._half("forward", self._results)

    @cached_property
    def forward(self) -> _Half:
        """The forward of one that has."""
        rows = self._bound.rows
        assert isinstance(rows, RowPrograms)
        return self._half("forward", (*self._results, *rows.saved))

    @cached_property
    def backward(self) -> _Half:
        """The backward."""
        return self._half("backward", (self.d_input,))

    @cached_property
    def has_backward(self) -> bool:
        """Whether its programs make all that a backward asks for, without a copy."""
        return self.forward.makes_all and self.backward.makes_all

    def gaps(self, *, keep: bool) -> list[tuple[int, bool]]:
        """The kept signals that some program does not compute, and that others read, or the user.

        By their numbers, and whether they lack the rows of leaves or those of the levels: zeros.
        """
        return self._kept_gaps if keep else self._result_gaps

    @cached_property
    def _result_gaps(self) -> list[tuple[int, bool]]:
        return _gaps(self.inference.whole, self._results)

    @cached_property
    def _kept_gaps(self) -> list[tuple[int, bool]]:
        read = {name for part in self.backward.whole.parts for name in part.neighbours}
        return _gaps(self.forward.whole, {*self._results, *read})


def _gaps(whole: Whole, names: Container[str]) -> list[tuple[int, bool]]:
    named = ((number, name) for number, name in enumerate(whole.keep) if name in names)
    return [(number, leaf) for number, name in named for leaf in whole.gaps(name)]


@lru_cache(maxsize=512)
def _cell(bound: NodesBound, n_threads: int, precision: Precision, target: Target) -> _Cell:
    return _Cell(bound, n_threads, precision, target)


class _Sweep:
    """One direction of a fold over one forest."""

    def __init__(self, half: _Half, nodes: Nodes):
        self._half, self._n_rows = half, nodes.n_rows
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
        self._bytes = half.passed.n_bytes(self._n_rows)
        for program, _, job in self._work:
            own = program.own.n_bytes(self._n_rows)
            self._bytes += own + job.scratch_bytes + program.scratch_bytes

    def run(self, found: dict[str, int], parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the programs, then the sums: the lines of the programs' totals."""
        half = self._half
        memory, place = new_scratch(self._bytes)
        place = half.passed.place(found, place, self._n_rows)
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
        rounds = [joined(packings), *kernels]
        run([*rounds, joined(sums)] if sums else rounds, half.n_threads)
        del memory, held  # all of it has been read
        return half.totals(outs, fixed)


class PreparedNodes:
    """A bound cell's fold over one forest.

    The input has a row for each node, in the order of the fold, or one for each leaf, if that is
    how many `n_inputs` are.
    """

    def __init__(self, cell: _Cell, nodes: Nodes, n_inputs: int):
        self._cell, self._forest = cell, weakref.ref(nodes)  # which keeps this fold
        self._shape = (n_inputs, *cell.shape)

    @property
    def _nodes(self) -> Nodes:
        nodes = self._forest()
        assert nodes is not None  # whoever calls has them
        return nodes

    @cached_property
    def _inference(self) -> _Sweep:
        return _Sweep(self._cell.inference, self._nodes)

    @cached_property
    def _forward(self) -> _Sweep:
        return _Sweep(self._cell.forward, self._nodes)

    @cached_property
    def _backward(self) -> _Sweep:
        return _Sweep(self._cell.backward, self._nodes)

    def fits(self, x: Tensor, parameters: Sequence[Tensor], *, keep: bool) -> bool:
        """Whether arrays have the form that it takes, and it makes all that is asked for."""
        cell = self._cell
        in_form = self._has_rows(cell.forward if keep else cell.inference) and have_form(
            parameters, cell.dtype, cell.shapes
        )
        is_input = x.shape == self._shape and x.dtype is cell.dtype and x.is_cpu
        return in_form and is_input and (cell.has_backward if keep else cell.inference.makes_all)

    def _has_rows(self, half: _Half) -> bool:
        """Whether there are inputs for all nodes; or for leaves, if no other node reads them."""
        count, nodes = self._shape[0], self._nodes
        only_leaves = self._cell.input not in half.needs_all
        return count == nodes.n_rows or (only_leaves and count == nodes.n_leaves)

    def forward(
        self, x: Tensor, parameters: Sequence[Tensor], *, keep: bool
    ) -> tuple[list[Tensor], Tensor]:
        """The rows of the results, and the memory that they and what backward needs lie in."""
        cell, n_rows, x = self._cell, self._nodes.n_rows, x.contiguous()
        half = cell.forward if keep else cell.inference
        kept = half.kept
        memory = new_rows(x, (kept.n_bytes(n_rows) // x.itemsize,))
        found = self._found(x, parameters)
        kept.place(found, memory.data_ptr(), n_rows)
        sweep = self._forward if keep else self._inference
        sweep.run(found, self._by_name(parameters, computes=half.computes))
        for number, leaf in cell.gaps(keep=keep):
            self._part(kept.view(memory, number, n_rows), leaf=leaf).zero_()
        return [kept.view(memory, number, n_rows) for number in range(cell.n_results)], memory

    def backward(
        self, x: Tensor, parameters: Sequence[Tensor], memory: Tensor, sent: Sequence[Tensor]
    ) -> list[Tensor]:
        """The cotangents of all arrays, given those of the results' rows.

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
        found.update(zip(cell.sent, map(_address, sent), strict=True))
        d_x = torch.empty_like(x)
        found[f"rows {cell.d_input}"] = d_x.data_ptr()
        named = self._by_name(parameters, computes=cell.backward.computes)
        totals = self._backward.run(found, named)
        for leaf in cell.backward.whole.gaps(cell.d_input):
            self._part(d_x, leaf=leaf).zero_()
        pairs = zip(cell.d_parameters, parameters, strict=True)
        return [d_x, *(_shaped(totals.get(name), parameter) for name, parameter in pairs)]

    def _found(self, x: Tensor, parameters: Sequence[Tensor]) -> dict[str, int]:
        return dict(zip(self._cell.needs, map(_address, (x, *parameters)), strict=True))

    def _by_name(self, parameters: Sequence[Tensor], *, computes: bool) -> dict[str, Tensor]:
        """The parameters, if anything is computed of them ahead of the rows."""
        return dict(zip(self._cell.parameters, parameters, strict=True)) if computes else {}

    def _part(self, rows: Tensor, *, leaf: bool) -> Tensor:
        """The rows of leaves, or those of the levels."""
        n_leaves = self._nodes.n_leaves
        return rows[:n_leaves] if leaf else rows[n_leaves:]


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
        found = nodes.works[key] = PreparedNodes(_cell(bound, n_threads, *form), nodes, n_inputs)
    return found
