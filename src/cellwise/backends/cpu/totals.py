"""Sums over all rows: the gradients of parameters, as few, large products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from cellwise.backends.cpu.calls import call, carry_out
from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.runtime import runtime
from cellwise.backends.cpu.work import befores
from cellwise.backends.emit import EMIT
from cellwise.backends.schedule import Schedule
from cellwise.graph.node import Node, walk

COLUMNS = 16
"""Columns of a result go to threads in multiples of so many."""


@dataclass(frozen=True)
class Factor:
    """A signal that a total reads: its name, how long its rows are, whether a step before."""

    name: str
    width: int
    shifted: bool


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
        turned = len(factors) > 1 and factors[0].shifted and not factors[1].shifted
        if turned:
            factors.reverse()
        first, *others = factors
        outer = turned and total.kind == "outer"
        plan = Plan(total.node, total.kind, first, tuple(others), outer, first.shifted)
        found.append(plan)
    return tuple(found)


def _factor(node: Node, compiled: Compiled) -> Factor:
    width = compiled.layout.elements.size(node)
    return Factor(str(node.attributes[0]), width, node.attributes[1] != "t")


class Totals:
    """The totals of one sweep, shared out between threads by the columns of the results."""

    def __init__(
        self,
        compiled: Compiled,
        schedule: Schedule,
        rows: Mapping[str, Tensor],
        edges: Mapping[str, Tensor],
        fixed: Fixed,
    ):
        self.compiled, self.schedule = compiled, schedule
        self.rows, self.edges, self.fixed = rows, edges, fixed
        self._calls: list[Sequence[int]] = []
        self._held: list[object] = []

    def run(self, n_threads: int, last: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The value of each line of the program's totals."""
        if not self.compiled.closings:
            return {}
        self._prepare(n_threads)
        sums = {plan.node: self._sum(plan) for plan in plans(self.compiled)}
        if self._calls:
            carry_out(np.array(self._calls, dtype=np.int64), n_threads)
        found = {}
        for line, (node, start, size) in self.compiled.closings:
            if node is None:
                found[line.name] = self._closed(line.value, sums, last)
            else:
                found[line.name] = sums[node].narrow(0, start, size) if size else sums[node]
        return found

    def _prepare(self, n_threads: int) -> None:
        """The functions of the runtime, and scratch memory for each thread."""
        compiled = self.compiled
        self.n_threads, self.n_rows = n_threads, self.schedule.n_rows
        self.code = runtime(
            compiled.target, compiled.precision, compiled.target.lanes(compiled.precision)
        )
        outers = [p.others[0].width for p in plans(compiled) if p.kind == "outer"]
        items = self.code.scratch_items(max(outers)) if outers else 0
        self._step = items * compiled.item_bytes
        memory = torch.empty(self._step * n_threads, dtype=torch.uint8)
        self._scratch = memory.data_ptr()
        self._held.append(memory)

    def _sum(self, plan: Plan) -> Tensor:
        """The array that a total will be in; the calls that fill it join the list."""
        width = plan.first.width
        first, stride = self._first(plan), width
        if plan.kind == "outer":
            other = plan.others[0]
            out = torch.empty((width, other.width), dtype=self.fixed.dtype)
            second, result = self._second(other), (out.data_ptr(), other.width)
            for i0, i1 in _cut(width, self.n_threads):
                scratch = self._scratch + len(self._calls) % self.n_threads * self._step
                numbers = (first, stride, i0, i1, *second, self.n_rows, other.width, *result)
                self._call("sum_outer", *numbers, scratch)
            return out.mT if plan.turned else out
        out = torch.empty((width,), dtype=self.fixed.dtype)
        if plan.kind == "product":
            second = self._second(plan.others[0])
            result = (width, out.data_ptr())
            self._call("sum_rows_product", first, stride, *second, self.n_rows, *result)
        else:
            size = self.compiled.item_bytes
            for i0, i1 in _cut(width, self.n_threads):
                at, to = first + i0 * size, out.data_ptr() + i0 * size
                self._call("sum_rows", at, stride, self.n_rows, i1 - i0, to)
        return out if plan.node.shape else out.reshape(())

    def _call(self, name: str, *numbers: int) -> None:
        self._calls.append(call(self.code.address(name), *numbers))

    def _first(self, plan: Plan) -> int:
        name = plan.first.name
        if not plan.copied:
            return self.rows[name].data_ptr()
        live = self.rows[name][: self.n_rows]
        moved = self.schedule.shift(live, self.edges[name], "t-1").contiguous()
        self._held.append(moved)
        return moved.data_ptr()

    def _second(self, factor: Factor) -> tuple[int, int, int, int, int]:
        """Address and stride of rows and edges, and the index of the rows to take."""
        rows = self.rows[factor.name].data_ptr()
        if not factor.shifted:
            return rows, factor.width, 0, 0, 0
        edge, index = self.edges[factor.name].data_ptr(), befores(self.schedule)
        return rows, factor.width, edge, factor.width, index.ctypes.data

    def _closed(
        self, value: Node, sums: Mapping[Node, Tensor], last: Mapping[str, Tensor]
    ) -> Tensor:
        """An expression over totals."""
        values: dict[Node, Tensor] = {}
        for node in walk([value]):
            if node.varies:
                continue
            if node.operation == "total":
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
