"""Sums over all rows: the gradients of parameters, as few, large products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.memory import new_scratch
from cellwise.backends.cpu.parallel import run
from cellwise.backends.cpu.sum_calls import Factor, Plan, SumCalls, plans, sum_calls
from cellwise.backends.cpu.work import Integers, Work, address_of
from cellwise.backends.emit import EMIT
from cellwise.graph.node import Node, walk


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

    def team(self, n_threads: int, *, reverse: bool) -> Sequence[Work]:
        """All rows for each of the threads; empty if they cannot be shared."""

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

    def run(
        self, n_threads: int, last: Mapping[str, Tensor], found: Mapping[str, int]
    ) -> dict[str, Tensor]:
        """The value of each line of the program's totals; `found` are the sweep's addresses."""
        if not self.compiled.program.totals:
            return {}
        made = sum_calls(self.compiled, n_threads)
        outs = made.new_results()
        known = {**found, **self._found(made)}
        memory, scratch = new_scratch(made.scratch_bytes)
        self._held.append(memory)
        run([made.round(known, outs, self.extent.n_rows, scratch)], n_threads)
        sums = made.shaped(outs)
        sums |= {p.node: self._by_label(p) for p in plans(self.compiled) if p.kind == "labelled"}
        ends = {f"last {name}": end for name, end in last.items()}
        return closed(self.compiled, sums, self.fixed, ends, self.extent.n_rows)

    def _found(self, made: SumCalls) -> dict[str, int]:
        """What the calls need to know beside the addresses of whole arrays."""
        found = {}
        for need in made.needs:
            kind, _, key = need.partition(" ")
            if kind == "own":
                found[need] = self._address(self.rows[key])
            elif kind == "index":
                index = self.extent.other(key)
                self._held.append(index)
                found[need] = address_of(index)
            elif kind == "moved":
                first = made.plans[int(key)].first
                rows, edge = self.rows[first.name], self.edges[first.name]
                moved = self.extent.moved(rows, edge, first.index).contiguous()
                self._held.append(moved)
                found[need] = moved.data_ptr()
        return found

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
        if factor.width < factor.stride:
            rows = rows.narrow(1, factor.start, factor.width)
        if factor.index:
            return self.extent.moved(rows, self.edges[factor.name], factor.index)
        return rows[start : start + self.extent.n_rows]

    def _address(self, rows: Tensor) -> int:
        """Where the first row that is summed lies."""
        return rows.data_ptr() + self.extent.start * rows.stride(0) * self.compiled.item_bytes


NO_ENDS: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True)
class _Closer:
    """What expressions over totals are made of, beside the totals.

    Attributes:
        fixed: the values of fixed expressions.
        ends: the states that came out, by what their addresses are called.
        n_rows: how many rows were summed.
    """

    compiled: Compiled
    fixed: Fixed
    ends: Mapping[str, Tensor]
    n_rows: int

    def __call__(self, value: Node, sums: Mapping[Node, Tensor]) -> Tensor:
        """An expression over totals."""
        values: dict[Node, Tensor] = {}
        for node in walk([value]):
            if node.varies:
                continue
            if node.operation in ("total", "total_labelled"):
                values[node] = sums[node] if node in sums else self._repeated(node, values)
            elif node.operation == "first":
                state = str(node.arguments[0].attributes[0])
                values[node] = self.ends[f"last {state}"].sum(0)
            elif node.arguments:
                function = EMIT[node.operation](node, self.compiled.sizes)
                values[node] = function(*[values[a] for a in node.arguments])
            else:
                values[node] = self.fixed(node)
        return values[value]

    def _repeated(self, node: Node, values: Mapping[Node, Tensor]) -> Tensor:
        return values[node.arguments[0]] * self.n_rows


def closed(
    compiled: Compiled,
    sums: Mapping[Node, Tensor],
    fixed: Fixed | None = None,
    ends: Mapping[str, Tensor] = NO_ENDS,
    n_rows: int = 0,
) -> dict[str, Tensor]:
    """The lines of a program's totals: sums and pieces added up, and other expressions.

    Args:
        compiled: the program.
        sums: the values of its sums.
        fixed: those of fixed expressions, if it has other `expressions` than added sums.
        ends: the states that came out, by what their addresses are called, for gradients of
            initial ones.
        n_rows: how many rows were summed, for what is the same in all; not if it `makes_all`.
    """
    pieces = [sums[node].split_with_sizes(sizes) for node, sizes in compiled.cuts]
    found = {}
    for name, closings in compiled.sums:
        total: Tensor | None = None
        for node, cut, piece, minus in closings:  # those that are taken off come last
            term = sums[node] if cut < 0 else pieces[cut][piece]
            if total is None:
                total = -term if minus else term
            else:
                total = total - term if minus else total + term
        assert total is not None
        found[name] = total
    if compiled.expressions:
        assert fixed is not None
        closer = _Closer(compiled, fixed, ends, n_rows)
        found |= {line.name: closer(line.value, sums) for line in compiled.expressions}
    return found
