"""How the totals of a program are computed, and the calls that do it, ready but for addresses."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from cellwise.backends.cpu.blocking import pieces, scratch_items
from cellwise.backends.cpu.calls import ENTRY, call
from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.registers import Form
from cellwise.backends.cpu.runtime import runtime
from cellwise.graph.node import Node

COLUMNS = 16
"""Columns of a result go to threads in multiples of so many."""

MOST_TOGETHER = 512
"""Columns of second factors that are packed at a time: all their panels stay in a cache."""


@dataclass(frozen=True)
class Factor:
    """A signal that a total reads: its name, how long its rows are, at which row; "" is its own."""

    name: str
    width: int
    index: str


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
    return Factor(name, width, "" if index == "t" else index)


class At(NamedTuple):
    """A number that is known only in a call: an address, and how many bytes behind it.

    Attributes:
        kind: `own` (a signal's first row that is summed), `rows` (its first row), `edge`, `index`,
            `moved` (a first factor in its place), `out`, `table`, `scratch`; `count` is the number
            of rows.
        key: which.
    """

    kind: str
    key: str | int = ""
    offset: int = 0


class Draft:
    """Numbers in the making, and where among them stands what is known only in a call."""

    def __init__(self) -> None:
        self.numbers = array("q")
        self.holes: list[tuple[int, tuple[str, str | int], int]] = []

    def add(self, numbers: Iterable[int | At]) -> None:
        """More numbers."""
        for number in numbers:
            if isinstance(number, At):
                self.holes.append((len(self.numbers), number[:2], number.offset))
                number = 0
            self.numbers.append(number)


class SumCalls:
    """The calls that compute the totals of a program on some threads.

    Attributes:
        plans: the totals that are computed so; their results in this order.
        calls, tables: the list of calls, and what it points at.
        needed: all that the holes of both need, once each.
        scratch_bytes: scratch memory for all threads.
    """

    def __init__(self, compiled: Compiled, n_threads: int):
        self.plans = [plan for plan in plans(compiled) if plan.kind != "labelled"]
        self.calls, self.tables = Draft(), Draft()
        self._compiled, self._n_threads, self._n_cut = compiled, n_threads, 0
        self._form = Form(
            compiled.target, compiled.precision, compiled.target.lanes(compiled.precision)
        )
        self._code = runtime(*self._form)
        groups = list(_groups(self.plans))
        self._step = compiled.item_bytes * max(
            [scratch_items(self._form, *[p.others[0].width for p in group]) for group in groups],
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
        holes = [*self.calls.holes, *self.tables.holes]
        self.needed = list(dict.fromkeys(needed for _, needed, _ in holes))

    def _number(self, plan: Plan) -> int:
        return self.plans.index(plan)

    def _first(self, plan: Plan, column: int = 0) -> At:
        """Where the columns of the first factor begin."""
        offset = column * self._compiled.item_bytes
        if plan.copied:
            return At("moved", self._number(plan), offset)
        return At("own", plan.first.name, offset)

    def _second(self, factor: Factor, column: int = 0) -> list[int | At]:
        """Address and stride of rows and edges, and the index of the rows to take."""
        offset, name = column * self._compiled.item_bytes, factor.name
        if not factor.index:
            return [At("own", name, offset), factor.width, 0, 0, 0]
        rows, edge = At("rows", name, offset), At("edge", name, offset)
        return [rows, factor.width, edge, factor.width, At("index", factor.index)]

    def _call(self, name: str, *arguments: int | At, scratch: bool = False) -> None:
        """Another call; the threads take them in turns, and each has scratch of its own."""
        thread = len(self.calls.numbers) // ENTRY % self._n_threads
        more = [At("scratch", "", thread * self._step)] if scratch else []
        self.calls.add(call(self._code.address(name), *arguments, *more))

    def _cuts(self, width: int) -> Sequence[tuple[int, int]]:
        """A range of columns for each thread; the larger ones go to another one every time."""
        self._n_cut += 1
        found = _cut(width, self._n_threads)
        return found if self._n_cut % 2 else found[::-1]

    def _outer(self, group: list[Plan]) -> None:
        """The sums of a group: in panels of each width together, and what is left singly."""
        first, width = self._first(group[0]), group[0].first.width
        cut = {plan: pieces(self._form, plan.others[0].width) for plan in group}
        for n_vectors in sorted({p.width for found in cut.values() for p in found}, reverse=True):
            seconds = [
                [*self._second(plan.others[0], p.start), p.count, *self._result(plan, p.start)]
                for plan, found in cut.items()
                for p in found
                if p.width == n_vectors
            ]
            if n_vectors:
                table = At("table", "", len(self.tables.numbers) * 8)
                for second in seconds:
                    self.tables.add(second)
                for i0, i1 in self._cuts(width):
                    numbers = (first, width, i0, i1, table, len(seconds), At("count"))
                    self._call(f"sum_wide_{n_vectors}", *numbers, scratch=True)
                continue
            for *second, n_b, out, stride in seconds:
                for i0, i1 in self._cuts(width):
                    numbers = (first, width, i0, i1, *second, At("count"), n_b, out, stride)
                    self._call("sum_narrow", *numbers, scratch=True)

    def _result(self, plan: Plan, column: int) -> tuple[At, int]:
        """Where the sums of columns of the second factor go, and from one row to the next."""
        place = At("out", self._number(plan), column * self._compiled.item_bytes)
        return place, plan.others[0].width

    def _product(self, plan: Plan) -> None:
        width, out = plan.first.width, At("out", self._number(plan))
        second = self._second(plan.others[0])
        numbers = (self._first(plan), width, *second, At("count"), width, out)
        self._call("sum_rows_product", *numbers)

    def _rows(self, plan: Plan) -> None:
        width, item = plan.first.width, self._compiled.item_bytes
        for i0, i1 in self._cuts(width):
            out = At("out", self._number(plan), i0 * item)
            self._call("sum_rows", self._first(plan, i0), width, At("count"), i1 - i0, out)


def _groups(found: Sequence[Plan]) -> Iterator[list[Plan]]:
    """The sums of outer products, those with the same first factor together if they have room."""
    outers = sorted((p for p in found if p.kind == "outer"), key=lambda p: p.first.name)
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
