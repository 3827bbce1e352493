"""Sums over all rows: the gradients of parameters, as few, large products."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from cellwise.backends.cpu.calls import ENTRY, call, carry_out
from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.runtime import runtime
from cellwise.backends.cpu.work import Integers, Work, address_of
from cellwise.backends.emit import EMIT
from cellwise.graph.node import Node, walk

COLUMNS = 16
"""Columns of a result go to threads in multiples of so many."""


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


class Extent(Protocol):
    """The rows that sums run over."""

    @property
    def start(self) -> int:
        """The first row."""

    @property
    def n_rows(self) -> int:
        """How many there are."""

    def shares(self, n_threads: int, *, reverse: bool) -> Sequence[Work]:
        """The rows of each thread."""

    def other(self, index: str) -> Integers:
        """For each row, which one is read at an index; -1 - p for place p of the edge."""

    def moved(self, rows: Tensor, edge: Tensor, index: str) -> Tensor:
        """What each row reads at an index."""

    def labels(self) -> Integers:
        """The label of each row."""


class Totals:
    """The totals of one sweep, shared out between threads by the columns of the results."""

    def __init__(
        self,
        compiled: Compiled,
        extent: Extent,
        rows: Mapping[str, Tensor],
        edges: Mapping[str, Tensor],
        fixed: Fixed,
    ):
        self.compiled, self.extent = compiled, extent
        self.rows, self.edges, self.fixed = rows, edges, fixed
        self._calls = array("q")
        self._held: list[object] = []
        self._n_cut = 0

    def run(self, n_threads: int, last: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The value of each line of the program's totals."""
        if not self.compiled.closings:
            return {}
        self._prepare(n_threads)
        sums = {plan.node: self._sum(plan) for plan in plans(self.compiled)}
        carry_out(self._calls, n_threads)
        pieces = [sums[node].split_with_sizes(sizes) for node, sizes in self.compiled.cuts]
        found = {}
        for line, closing in self.compiled.closings:
            if closing is None:
                found[line.name] = self._closed(line.value, sums, last)
            elif closing.cut < 0:
                found[line.name] = sums[closing.sum]
            else:
                found[line.name] = pieces[closing.cut][closing.piece]
        return found

    def _prepare(self, n_threads: int) -> None:
        """The functions of the runtime, and scratch memory for each thread."""
        compiled = self.compiled
        self.n_threads, self.n_rows = n_threads, self.extent.n_rows
        self.code = runtime(
            compiled.target, compiled.precision, compiled.target.lanes(compiled.precision)
        )
        outers = [p.others[0].width for p in plans(compiled) if p.kind == "outer"]
        items = self.code.scratch_items(max(outers)) if outers else 0
        self._step = items * compiled.item_bytes
        memory = np.empty(self._step * n_threads, np.uint8)
        self._scratch = address_of(memory)
        self._held.append(memory)

    def _sum(self, plan: Plan) -> Tensor:
        """The array that a total will be in; the calls that fill it join the list."""
        if plan.kind == "labelled":
            return self._by_label(plan)
        width = plan.first.width
        first, stride = self._first(plan), width
        if plan.kind == "outer":
            other = plan.others[0]
            out = torch.empty((width, other.width), dtype=self.fixed.dtype)
            second, result = self._second(other), (out.data_ptr(), other.width)
            for i0, i1 in self._cuts(width):
                thread = len(self._calls) // ENTRY % self.n_threads
                scratch = self._scratch + thread * self._step
                numbers = (first, stride, i0, i1, *second, self.n_rows, other.width, *result)
                self._call("sum_outer", *numbers, scratch)
            whole = out.mT if plan.turned else out
            return whole.reshape(self._shape(plan.node)) if len(plan.node.shape) > 2 else whole
        out = torch.empty((width,), dtype=self.fixed.dtype)
        if plan.kind == "product":
            second = self._second(plan.others[0])
            result = (width, out.data_ptr())
            self._call("sum_rows_product", first, stride, *second, self.n_rows, *result)
        else:
            size = self.compiled.item_bytes
            for i0, i1 in self._cuts(width):
                at, to = first + i0 * size, out.data_ptr() + i0 * size
                self._call("sum_rows", at, stride, self.n_rows, i1 - i0, to)
        return out if plan.node.shape else out.reshape(())

    def _cuts(self, width: int) -> tuple[tuple[int, int], ...]:
        """A range of columns for each thread; the larger ones go to another one every time."""
        self._n_cut += 1
        found = _cut(width, self.n_threads)
        return found if self._n_cut % 2 else found[::-1]

    def _by_label(self, plan: Plan) -> Tensor:
        """A sum of outer products for each label: the rows by their labels, then products."""
        labels = torch.from_numpy(np.ascontiguousarray(self.extent.labels()))
        order = torch.argsort(labels, stable=True)
        ends = torch.bincount(labels, minlength=self.compiled.n_labels).cumsum(0).tolist()
        left, right = (self._rows_of(f).index_select(0, order) for f in (plan.first, *plan.others))
        out = left.new_zeros(self.compiled.n_labels, left.shape[1], right.shape[1])
        for label, (start, stop) in enumerate(pairwise([0, *ends])):
            if stop > start:
                torch.mm(left[start:stop].mT, right[start:stop], out=out[label])
        return out.mT if plan.turned else out

    def _rows_of(self, factor: Factor) -> Tensor:
        """The rows of a signal that are summed."""
        rows, start = self.rows[factor.name], self.extent.start
        if factor.index:
            return self.extent.moved(rows, self.edges[factor.name], factor.index)
        return rows[start : start + self.n_rows]

    def _shape(self, node: Node) -> list[int]:
        return [size.evaluate(self.compiled.sizes) for size in node.shape]

    def _call(self, name: str, *numbers: int) -> None:
        self._calls.extend(call(self.code.address(name), *numbers))

    def _first(self, plan: Plan) -> int:
        name = plan.first.name
        if not plan.copied:
            return self._address(self.rows[name])
        moved = self.extent.moved(self.rows[name], self.edges[name], plan.first.index).contiguous()
        self._held.append(moved)
        return moved.data_ptr()

    def _address(self, rows: Tensor) -> int:
        """Where the first row that is summed lies."""
        return rows.data_ptr() + self.extent.start * rows.stride(0) * self.compiled.item_bytes

    def _second(self, factor: Factor) -> tuple[int, int, int, int, int]:
        """Address and stride of rows and edges, and the index of the rows to take."""
        rows = self.rows[factor.name]
        if not factor.index:
            return self._address(rows), factor.width, 0, 0, 0
        edge, index = self.edges[factor.name].data_ptr(), self.extent.other(factor.index)
        self._held.append(index)
        return rows.data_ptr(), factor.width, edge, factor.width, address_of(index)

    def _closed(
        self, value: Node, sums: Mapping[Node, Tensor], last: Mapping[str, Tensor]
    ) -> Tensor:
        """An expression over totals."""
        values: dict[Node, Tensor] = {}
        for node in walk([value]):
            if node.varies:
                continue
            if node.operation in ("total", "total_labelled"):
                values[node] = sums[node] if node in sums else self._repeated(node, values)
            elif node.operation == "first":
                values[node] = last[str(node.arguments[0].attributes[0])].sum(0)
            elif node.arguments:
                function = EMIT[node.operation](node, self.compiled.sizes)
                values[node] = function(*[values[a] for a in node.arguments])
            else:
                values[node] = self.fixed(node)
        return values[value]

    def _repeated(self, node: Node, values: Mapping[Node, Tensor]) -> Tensor:
        return values[node.arguments[0]] * self.n_rows


@lru_cache(maxsize=1024)
def _cut(width: int, n_threads: int) -> tuple[tuple[int, int], ...]:
    """About equal ranges of columns, none of them short for nothing."""
    step = max(-(-width // n_threads), COLUMNS)
    step = -(-step // COLUMNS) * COLUMNS
    return tuple((at, min(at + step, width)) for at in range(0, width, step))
