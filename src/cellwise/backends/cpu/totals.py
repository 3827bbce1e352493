"""Sums over all rows: the gradients of parameters, as few, large products."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cellwise.backends.cpu.calls import call, carry_out
from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.runtime import runtime
from cellwise.backends.cpu.work import befores
from cellwise.backends.emit import EMIT
from cellwise.backends.schedule import Schedule
from cellwise.graph.node import Node, walk
from cellwise.passes.normal import Total


class Totals:
    """The totals of one sweep, shared out between threads by the columns of the results."""

    def __init__(
        self,
        compiled: Compiled,
        schedule: Schedule,
        rows: Mapping[str, Tensor],
        edges: Mapping[str, Tensor],
        fixed: Callable[[Node], Tensor],
    ):
        self.compiled, self.schedule = compiled, schedule
        self.rows, self.edges, self.fixed = rows, edges, fixed
        self.code = runtime(
            compiled.target, compiled.precision, compiled.target.lanes(compiled.precision)
        )
        self._held: list[object] = []

    def run(self, n_threads: int, last: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The value of each line of the program's totals."""
        calls: list[Sequence[int]] = []
        sums = {
            total.node: self._sum(total, calls, n_threads) for total in self.compiled.normal.totals
        }
        if calls:
            carry_out(np.array(calls, dtype=np.int64), n_threads)
        found = {}
        for line, (node, start, size) in self.compiled.closings:
            if node is None:
                found[line.name] = self._closed(line.value, sums, last)
            else:
                found[line.name] = sums[node].narrow(0, start, size) if size else sums[node]
        return found

    def _sum(self, total: Total, calls: list[Sequence[int]], n_threads: int) -> Tensor:
        """The array that a total will be in, and the calls that fill it."""
        first, *others = (self._whole(node) for node in total.operands)
        turned = False
        if others and first.index:
            others, first, turned = [first], others[0], True
            if first.index:
                first = self._gathered(total.operands[1])
        shape = [first.width, others[0].width] if total.kind == "outer" else [first.width]
        out = torch.empty(shape, dtype=first.rows.dtype)
        if total.kind == "outer":
            self._outer(first, others[0], out, calls, n_threads)
        elif total.kind == "product":
            arguments = (*first.plain, *others[0].all, self.schedule.n_rows, first.width)
            calls.append(call(self.code.address("sum_rows_product"), *arguments, out.data_ptr()))
        else:
            first = self._gathered(total.operands[0]) if first.index else first
            self._rows(first, out, calls, n_threads)
        found = out.mT if turned and total.kind == "outer" else out
        return found if total.node.shape else found.reshape(())

    def _whole(self, node: Node) -> _Operand:
        name, index = str(node.attributes[0]), str(node.attributes[1])
        if index == "t":
            return _Operand(self.rows[name], None, None)
        return _Operand(self.rows[name], self.edges[name], befores(self.schedule))

    def _gathered(self, node: Node) -> _Operand:
        """Rows at the step before, copied to where they are read at the same step."""
        name, index = str(node.attributes[0]), str(node.attributes[1])
        live = self.rows[name][: self.schedule.n_rows]
        moved = self.schedule.shift(live, self.edges[name], index).contiguous()
        self._held.append(moved)
        return _Operand(moved, None, None)

    def _outer(
        self,
        a: _Operand,
        b: _Operand,
        out: Tensor,
        calls: list[Sequence[int]],
        n_threads: int,
    ) -> None:
        scratch = torch.empty((n_threads, self.code.scratch_items(b.width)), dtype=out.dtype)
        self._held.append(scratch)
        for number, (i0, i1) in enumerate(_cut(a.width, n_threads)):
            arguments = (*a.plain, i0, i1, *b.all, self.schedule.n_rows, b.width)
            rest = (out.data_ptr(), b.width, scratch[number].data_ptr())
            calls.append(call(self.code.address("sum_outer"), *arguments, *rest))

    def _rows(self, a: _Operand, out: Tensor, calls: list[Sequence[int]], n_threads: int) -> None:
        size = self.compiled.item_bytes
        pointer, stride = a.plain
        for i0, i1 in _cut(a.width, n_threads):
            start = pointer + i0 * size
            arguments = (start, stride, self.schedule.n_rows, i1 - i0, out.data_ptr() + i0 * size)
            calls.append(call(self.code.address("sum_rows"), *arguments))

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
        return values[node.arguments[0]] * self.schedule.n_rows


class _Operand:
    """The rows of a factor: an array, or one that is read a step before."""

    def __init__(self, rows: Tensor, edge: Tensor | None, index: np.ndarray | None):
        self.rows, self.edge = rows, edge
        self.width = rows.shape[1] if rows.dim() > 1 else 1
        self.index = 0 if index is None else index.ctypes.data

    @property
    def plain(self) -> tuple[int, int]:
        """Address and row stride."""
        return self.rows.data_ptr(), self.width

    @property
    def all(self) -> tuple[int, ...]:
        """Address and stride of the rows and of the edges, and the index."""
        edge = 0 if self.edge is None else self.edge.data_ptr()
        return (*self.plain, edge, self.width, self.index)


def _cut(width: int, n_threads: int) -> list[tuple[int, int]]:
    """About equal ranges of columns, none of them short for nothing."""
    step = max(-(-width // n_threads), 16)
    step = -(-step // 16) * 16
    return [(at, min(at + step, width)) for at in range(0, width, step)]
