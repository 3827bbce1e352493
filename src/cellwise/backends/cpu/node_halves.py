"""What folds over all forests have in common: a bound cell's programs, and what they need."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from cellwise.backends.base import Direction, NodesBound
from cellwise.backends.cpu.compiled import shapes_outside
from cellwise.backends.cpu.drafts import At
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.node_programs import Part, Whole, programs
from cellwise.backends.cpu.precisions import DTYPES
from cellwise.backends.cpu.registers import Form
from cellwise.backends.cpu.results import Results
from cellwise.backends.cpu.rows_memory import Rows
from cellwise.backends.cpu.sum_calls import plans, sum_calls
from cellwise.backends.cpu.target import Precision, Target
from cellwise.passes.rows import RowPrograms

_address = Tensor.data_ptr


class Program:
    """One program, for any forest.

    Args:
        passed: the signals that other programs read, or the user.

    Attributes:
        own: the signals over rows that are nobody else's; another program may have some of the
            same names.
        sums: what is summed over the rows, if anything is, and its `results`.
        scratch_bytes: what the sums take.
        indices: how drafts call the neighbours that the sums read, and at which index these are.
        named: what drafts call what is computed of parameters, and results, and what it is called
            where there are several programs.
        needs: what the arrays of its results are called there.
    """

    def __init__(self, part: Part, number: int, n_threads: int, passed: Container[str]):
        self.code, self.leaf, shapes = part.code, part.leaf, part.code.shapes
        own = [n for n in self.code.layout.kept if n not in part.defined or n not in passed]
        self.own = Rows({name: shapes[name] for name in own}, self.code.item_bytes)
        self.sums = sum_calls(self.code, n_threads) if self.code.program.totals else None
        self.scratch_bytes = self.sums.scratch_bytes if self.sums else 0
        self.results = Results(self.code, self.sums) if self.sums else None
        self.computed = [f"{number} {need}" for need in self.code.computed.values()]
        values = zip(self.code.computed.values(), self.computed, strict=True)
        self.named: dict[str, At | int] = {need: At(name) for need, name in values}
        self.needs = [f"{number} {need}" for need in (self.results.needs if self.results else ())]
        for need, place in (self.results.places if self.results else {}).items():
            self.named[need] = At(f"{number} {place.need}", place.offset)
        needs = [need.partition(" ") for need in (self.sums.needs if self.sums else ())]
        self.indices = [(f"index {key}", key) for kind, _, key in needs if kind == "index"]
        factors = [f for plan in plans(self.code) for f in (plan.first, *plan.others)]
        strides = {factor.name: factor.stride for factor in factors if not factor.index}
        self._summed = [
            (f"own {name}", f"rows {name}", stride * self.code.item_bytes)
            for name, stride in strides.items()
        ]

    def summed_from(self, known: Mapping[str, At | int], first_row: int) -> dict[str, At | int]:
        """Where the first row lies of all that is summed."""
        found: dict[str, At | int] = {}
        for need, rows, row_bytes in self._summed:
            place = known.get(rows, At(rows))
            assert isinstance(place, At)  # it is of the call
            found[need] = At(place.need, place.offset + first_row * row_bytes)
        return found

    def fixed(self, parameters: Mapping[str, Tensor]) -> Fixed | None:
        """What computes what is fixed and no parameter, if any of it is needed."""
        code = self.code
        if not code.computes:
            return None
        return Fixed(parameters, code.constants, code.sizes, DTYPES[code.precision])

    def compute(self, fixed: Fixed) -> list[Tensor]:
        """The values of what is computed of parameters alone."""
        return [fixed(node).contiguous() for node in self.code.computed]


class Half:
    """One direction of a cell's fold, for any forest.

    Attributes:
        whole: the programs.
        programs: the same in the order in which they run, each with what belongs to it.
        kept: the signals that are given back.
        passed: those that one program makes and another reads.
        needs: what a call knows beside its arrays: what is computed of parameters, then results.
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
        self.programs = [
            Program(part, number, n_threads, passed) for number, part in enumerate(whole.parts)
        ]
        computed = (name for program in self.programs for name in program.computed)
        self.needs = [*computed, *(need for p in self.programs for need in p.needs)]
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
            if program.results:
                for name, total in program.results.lines(own, values).items():
                    totals[name] = totals[name] + total if name in totals else total
        return totals


class NodesCell:
    """A bound cell's fold, for any forest.

    Attributes:
        form: of compiled code.
        input, d_input: the names of the input and its cotangent; `shape`: of a row of it.
        parameters, d_parameters: the names of the parameters and of their cotangents; `shapes`.
        results: the shapes of the results' rows, the output first.
        states: those that come out where a sweep ends.
        outs: the names of the results' cotangents.
    """

    def __init__(
        self, bound: NodesBound, n_threads: int, precision: Precision, target: Target
    ) -> None:
        compiled, self._target = bound.compiled, (precision, target)
        self._bound, self.n_threads, self.dtype = bound, n_threads, DTYPES[precision]
        self.form = Form(target, precision, target.lanes(precision))
        system, names, (name,) = compiled.forward, compiled.names, compiled.forward.inputs
        self.input, self.parameters = name, list(system.parameters)
        shapes = shapes_outside(system, dict(bound.sizes))
        self.shape, self.shapes = shapes[name], [shapes[name] for name in self.parameters]
        self.d_input, self.d_parameters = names[name], [names[name] for name in self.parameters]
        self.states, self.outs = compiled.states, compiled.outs
        sizes = dict(bound.sizes)
        self.results: dict[str, tuple[int, ...]] = {
            name: tuple(size.evaluate(sizes) for size in system.shape_of(name))
            for name in compiled.results
        }

    @property
    def output(self) -> str:
        """The first of the results."""
        return next(iter(self.results))

    def _half(self, direction: Direction, keep: tuple[str, ...]) -> Half:
        return Half(programs(self._bound, direction, keep, *self._target), self.n_threads)

    @cached_property
    def inference(self) -> Half:
        """The forward of a call that has no backward."""
        return self._half("forward", tuple(self.results))

    @cached_property
    def forward(self) -> Half:
        """The forward of one that has."""
        rows = self._bound.rows
        assert isinstance(rows, RowPrograms)
        return self._half("forward", (*self.results, *rows.saved))

    @cached_property
    def backward(self) -> Half:
        """The backward."""
        return self._half("backward", (self.d_input,))

    @cached_property
    def has_backward(self) -> bool:
        """Whether its programs make all that a backward asks for, without a copy."""
        return self.forward.makes_all and self.backward.makes_all

    def gaps(self, *, keep: bool) -> list[tuple[str, bool]]:
        """The kept signals that some program does not compute, and that others read, or the user.

        By their names, and whether they lack the rows of leaves or those of the levels: zeros.
        """
        return self._kept_gaps if keep else self._result_gaps

    @cached_property
    def _result_gaps(self) -> list[tuple[str, bool]]:
        return _gaps(self.inference.whole, self.results)

    @cached_property
    def _kept_gaps(self) -> list[tuple[str, bool]]:
        read = {name for part in self.backward.whole.parts for name in part.neighbours}
        return _gaps(self.forward.whole, {*self.results, *read})


def _gaps(whole: Whole, names: Container[str]) -> list[tuple[str, bool]]:
    return [(name, leaf) for name in whole.keep if name in names for leaf in whole.gaps(name)]


@lru_cache(maxsize=512)
def nodes_cell(
    bound: NodesBound, n_threads: int, precision: Precision, target: Target
) -> NodesCell:
    """A cell's, kept."""
    return NodesCell(bound, n_threads, precision, target)
