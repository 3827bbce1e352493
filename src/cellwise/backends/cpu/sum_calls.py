"""How the totals of a program are computed, and the calls that do it, ready but for addresses."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby

import torch
from torch import Tensor

from cellwise.backends.cpu.blocking import Blocking, pieces
from cellwise.backends.cpu.calls import ENTRY, call, in_turns
from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.drafts import At, Draft
from cellwise.backends.cpu.parallel import Round
from cellwise.backends.cpu.precisions import DTYPES
from cellwise.backends.cpu.ready import MEMORY, Rounds
from cellwise.backends.cpu.registers import Form
from cellwise.backends.cpu.runtime import runtime
from cellwise.graph.node import Node

COLUMNS = 16
"""Columns of a result go to threads in multiples of so many."""

_OWN = ("table", "scratch", "count")
"""What the calls need and see to themselves, beside their results."""

MOST_TOGETHER = 512
"""Columns of second factors that are packed at a time: all their panels stay in a cache."""


@dataclass(frozen=True)
class Factor:
    """What a total reads: a signal, or a stretch of one.

    Attributes:
        name: the signal.
        width: how many numbers of a row.
        index: at which row; "" is its own.
        start: the first of the numbers.
        stride: how many a row has.
    """

    name: str
    width: int
    index: str
    start: int
    stride: int


@dataclass(frozen=True)
class Plan:
    """How one total is computed.

    Attributes:
        kind: `outer`, `product` or `rows`, as in `passes.normal`.
        first: the factor whose columns are shared out between threads; read at the same step.
        others: the second factor, which may be read a step before.
        turned: the factors changed places, and the result is the transposed of what is wanted.
        copied: the first factor is read a step before, and has to be copied to its place.
    """

    node: Node
    kind: str
    first: Factor
    others: tuple[Factor, ...]
    turned: bool
    copied: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array that the calls fill."""
        outer = self.kind == "outer"
        return (self.first.width, self.others[0].width) if outer else (self.first.width,)


@lru_cache(maxsize=512)
def plans(compiled: Compiled) -> tuple[Plan, ...]:
    """How the totals of a program are computed."""
    found = []
    for total in compiled.normal.totals:
        factors = [_factor(node, compiled) for node in total.operands]
        turned = len(factors) > 1 and factors[0].index != "" and not factors[1].index
        if turned:
            factors.reverse()
        first, *others = factors
        outer = turned and total.kind in ("outer", "labelled")
        plan = Plan(total.node, total.kind, first, tuple(others), outer, bool(first.index))
        found.append(plan)
    return tuple(found)


def _factor(node: Node, compiled: Compiled) -> Factor:
    width = compiled.layout.elements.size(node)
    name, index = map(str, node.attributes[:2])
    whole, start = compiled.normal.within.get(name, (name, 0)) if index == "t" else (name, 0)
    stride = compiled.layout.sizes[whole] if whole != name else width
    return Factor(whole, width, "" if index == "t" else index, start, stride)


class SumCalls:
    """The calls that compute the totals of a program on some threads.

    Attributes:
        plans: the totals that are computed so; their results in this order.
        calls, tables: the list of calls, and what it points at.
        needs: what both need to know.
        scratch_bytes: scratch memory for all threads.
    """

    def __init__(self, compiled: Compiled, n_threads: int):
        self.plans = [plan for plan in plans(compiled) if plan.kind != "labelled"]
        self._microkernels = array("q")
        self.calls, self.tables = Draft(), Draft()
        self._compiled, self._n_threads, self._n_cut = compiled, n_threads, 0
        self._dtype = DTYPES[compiled.precision]
        self._form = Form(
            compiled.target, compiled.precision, compiled.target.lanes(compiled.precision)
        )
        self._code = runtime(*self._form)
        groups, cut = list(_groups(self.plans)), Blocking(self._form)
        self._step = compiled.item_bytes * max(
            [cut.scratch_items(*[p.others[0].width for p in group]) for group in groups],
            default=0,
        )
        self.scratch_bytes = self._step * n_threads
        for group in groups:
            self._outer(group)
        for plan in self.plans:
            if plan.kind == "product":
                self._product(plan)
            elif plan.kind == "rows":
                self._rows(plan)
        needs = dict.fromkeys([*self.calls.needs, *self.tables.needs])
        self.needs = [need for need in needs if need not in _OWN]

    def new_results(self) -> list[Tensor]:
        """Arrays for the results."""
        return [torch.empty(plan.shape, dtype=self._dtype, device="cpu") for plan in self.plans]

    def round(
        self, found: dict[str, int], outs: Sequence[Tensor], n_rows: int, scratch: int
    ) -> Round:
        """What fills the results; `found` holds all that is needed, and gets what is missing."""
        found["scratch"], found["count"] = scratch, n_rows
        for number, out in enumerate(outs):
            found[f"out {number}"] = out.data_ptr()
        tables = self.tables.filled(found)
        found["table"] = tables.buffer_info()[0]
        function, tasks, held = in_turns(self.calls.filled(found), self._n_threads)
        return Round(function, tasks, (held, tables))

    def tasks(self, rounds: Rounds, known: Mapping[str, At | int], offset: int) -> list[At]:
        """The same as tasks of rounds in the making; scratch memory at an offset of the call's.

        `known` holds the number of rows, too, as `count`.
        """
        own = {**known, "scratch": At(MEMORY, offset)}
        own["table"] = rounds.put(self.tables, own)
        return rounds.calls(self.calls, self._n_threads, own)

    def shaped(self, outs: Sequence[Tensor]) -> dict[Node, Tensor]:
        """Each total as its node has it."""
        found = list(outs)
        for number, turned, shape in self.changed:
            whole = found[number].mT if turned else found[number]
            found[number] = whole if shape is None else whole.reshape(shape)
        return dict(zip(self._nodes, found, strict=True))

    @cached_property
    def changed(self) -> list[tuple[int, bool, list[int] | None]]:
        """Which results have another form than their nodes: whether turned, and the shape."""
        found = []
        for number, plan in enumerate(self.plans):
            rank, outer = len(plan.node.shape), plan.kind == "outer"
            shape = [d.evaluate(self._compiled.sizes) for d in plan.node.shape]
            turned, other = outer and plan.turned, rank > 2 if outer else rank == 0
            if turned or other:
                found.append((number, turned, shape if other else None))
        return found

    @cached_property
    def _nodes(self) -> list[Node]:
        return [plan.node for plan in self.plans]

    def _number(self, plan: Plan) -> int:
        return self.plans.index(plan)

    def _first(self, plan: Plan, column: int = 0) -> At:
        """Where the columns of the first factor begin."""
        offset = column * self._compiled.item_bytes
        if plan.copied:
            return At(f"moved {self._number(plan)}", offset)
        start = plan.first.start * self._compiled.item_bytes
        return At(f"own {plan.first.name}", start + offset)

    def _second(self, factor: Factor, column: int = 0) -> list[int | At]:
        """Address and stride of rows and edges, and the index of the rows to take."""
        offset, name = (factor.start + column) * self._compiled.item_bytes, factor.name
        if not factor.index:
            return [At(f"own {name}", offset), factor.stride, 0, 0, 0]
        rows, edge = At(f"rows {name}", offset), At(f"edge {name}", offset)
        return [rows, factor.width, edge, factor.width, At(f"index {factor.index}")]

    def _call(self, name: str, *arguments: int | At) -> None:
        """Another call; the threads take them in turns."""
        self.calls.add(call(self._code.address(name), *arguments))

    def _scratch(self) -> At:
        """The scratch memory of the thread that takes the next call."""
        thread = len(self.calls) // ENTRY % self._n_threads
        return At("scratch", thread * self._step)

    def _products(self) -> int:
        """Where the addresses of the microkernels for panels stand, by vectors and rows.

        Narrow panels come last, if at all: their microkernels are compiled for those who need them.
        """
        if not self._microkernels:
            cut, lanes = Blocking(self._form), self._form.lanes
            packed = [
                p.n_columns
                for plan in self.plans
                if plan.kind == "outer"
                for p in pieces(self._form, plan.others[0].width)
                if p.packed
            ]
            needed = {-(-(count % cut.width) // lanes) for count in packed} | {cut.n_vectors}
            for n_vectors in range(1, cut.n_vectors + 1):
                for n_rows in range(1, cut.most_rows + 1):
                    known = n_vectors in needed
                    name = f"product_{n_vectors}_{n_rows}"
                    self._microkernels.append(self._code.address(name) if known else 0)
        return self._microkernels.buffer_info()[0]

    def _cuts(self, width: int) -> Sequence[tuple[int, int]]:
        """A range of columns for each thread; the larger ones go to another one every time."""
        self._n_cut += 1
        found = _cut(width, self._n_threads)
        return found if self._n_cut % 2 else found[::-1]

    def _outer(self, group: list[Plan]) -> None:
        """The sums of a group: in panels together, and what is left singly."""
        factor = group[0].first
        first, width, stride = self._first(group[0]), factor.width, factor.stride
        table, count, rest = At("table", len(self.tables) * 8), 0, []
        for plan in group:
            for piece in pieces(self._form, plan.others[0].width):
                second = self._second(plan.others[0], piece.start)
                result = self._result(plan, piece.start)
                if piece.packed:
                    self.tables.add([*second, piece.n_columns, *result])
                    count += 1
                else:
                    rest.append((*second, At("count"), piece.n_columns, *result))
        for i0, i1 in self._cuts(width) if count else ():
            scratch = self._scratch()
            more = (table, count, At("count"), scratch, self._products())
            self._call("sum_wide", first, stride, i0, i1, *more)
        for numbers_of_one in rest:
            for i0, i1 in self._cuts(width):
                numbers = (first, stride, i0, i1, *numbers_of_one, self._scratch())
                self._call("sum_narrow", *numbers)

    def _result(self, plan: Plan, column: int) -> tuple[At, int]:
        """Where the sums of columns of the second factor go, and from one row to the next."""
        place = At(f"out {self._number(plan)}", column * self._compiled.item_bytes)
        return place, plan.others[0].width

    def _product(self, plan: Plan) -> None:
        width, out = plan.first.width, At(f"out {self._number(plan)}")
        second = self._second(plan.others[0])
        numbers = (self._first(plan), plan.first.stride, *second, At("count"), width, out)
        self._call("sum_rows_product", *numbers)

    def _rows(self, plan: Plan) -> None:
        width, item = plan.first.width, self._compiled.item_bytes
        for i0, i1 in self._cuts(width):
            out = At(f"out {self._number(plan)}", i0 * item)
            first = self._first(plan, i0), plan.first.stride
            self._call("sum_rows", *first, At("count"), i1 - i0, out)


def _groups(found: Sequence[Plan]) -> Iterator[list[Plan]]:
    """The sums of outer products, those with the same first factor together if they have room."""
    outers = [p for p in found if p.kind == "outer"]
    outers.sort(key=lambda p: (p.first.name, p.first.start, p.first.width))
    for _, plans_of in groupby(outers, key=lambda p: (p.first, p.copied and p.node)):
        group: list[Plan] = []
        for plan in plans_of:
            if group and sum(p.others[0].width for p in (*group, plan)) > MOST_TOGETHER:
                yield group
                group = []
            group.append(plan)
        yield group


@lru_cache(maxsize=512)
def sum_calls(compiled: Compiled, n_threads: int) -> SumCalls:
    """The calls that compute the totals of a program, kept for the next sweep."""
    return SumCalls(compiled, n_threads)


@lru_cache(maxsize=1024)
def _cut(width: int, n_threads: int) -> tuple[tuple[int, int], ...]:
    """About equal ranges of columns, none of them short for nothing."""
    step = max(-(-width // n_threads), COLUMNS)
    step = -(-step // COLUMNS) * COLUMNS
    return tuple((at, min(at + step, width)) for at in range(0, width, step))
