"""Sums over all rows: the gradients of parameters, as few, large products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from cellwise.backends.cpu.calls import carry_out
from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.memory import new_scratch
from cellwise.backends.cpu.sum_calls import Factor, Plan, SumCalls, plans, sum_calls
from cellwise.backends.cpu.work import Integers, Work, address_of
from cellwise.backends.emit import EMIT
from cellwise.graph.node import Node, walk

Held = TypeVar("Held", Tensor, Integers)


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
        self._held: list[object] = []

    def run(self, n_threads: int, last: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The value of each line of the program's totals."""
        if not self.compiled.closings:
            return {}
        sums = self._sums(n_threads)
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

    def _sums(self, n_threads: int) -> dict[Node, Tensor]:
        made = sum_calls(self.compiled, n_threads)
        outs = [torch.empty(plan.shape, dtype=self.fixed.dtype) for plan in made.plans]
        tables = made.tables.numbers[:]
        found = {("table", ""): tables.buffer_info()[0]}
        for needed in made.needed:
            if needed not in found:
                found[needed] = self._found(*needed, made, outs)
        calls = made.calls.numbers[:]
        for numbers, holes in ((calls, made.calls.holes), (tables, made.tables.holes)):
            for slot, needed, offset in holes:
                numbers[slot] = found[needed] + offset
        carry_out(calls, n_threads)
        shaped = map(self._shaped, made.plans, outs)
        sums = dict(zip([plan.node for plan in made.plans], shaped, strict=True))
        labelled = (plan for plan in plans(self.compiled) if plan.kind == "labelled")
        return sums | {plan.node: self._by_label(plan) for plan in labelled}

    def _found(
        self, kind: str, key: str | int, made: SumCalls, outs: Sequence[Tensor]
    ) -> int:
        """The number that a hole of the calls needs."""
        match kind, key:
            case "count", _:
                return self.extent.n_rows
            case "own", str(name):
                return self._address(self.rows[name])
            case "rows", str(name):
                return self.rows[name].data_ptr()
            case "edge", str(name):
                return self.edges[name].data_ptr()
            case "index", str(index):
                return address_of(self._holding(self.extent.other(index)))
            case "moved", int(number):
                first = made.plans[number].first
                moved = self.extent.moved(self.rows[first.name], self.edges[first.name], first.index)
                return self._holding(moved.contiguous()).data_ptr()
            case "out", int(number):
                return outs[number].data_ptr()
        assert kind == "scratch"
        memory, address = new_scratch(made.scratch_bytes)
        self._held.append(memory)
        return address

    def _holding(self, numbers: Held) -> Held:
        self._held.append(numbers)
        return numbers

    def _shaped(self, plan: Plan, out: Tensor) -> Tensor:
        """What the calls have filled, as the total has it."""
        rank = len(plan.node.shape)
        if plan.kind == "outer":
            whole = out.mT if plan.turned else out
            return whole.reshape(self._shape(plan.node)) if rank > 2 else whole
        return out if rank else out.reshape(())

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
        return rows[start : start + self.extent.n_rows]

    def _shape(self, node: Node) -> list[int]:
        return [size.evaluate(self.compiled.sizes) for size in node.shape]

    def _address(self, rows: Tensor) -> int:
        """Where the first row that is summed lies."""
        return rows.data_ptr() + self.extent.start * rows.stride(0) * self.compiled.item_bytes

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
        return values[node.arguments[0]] * self.extent.n_rows
