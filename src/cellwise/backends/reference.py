"""The definition of what a program computes: op by op in torch, differentiable to any order.

Every other back end is judged against this one. A sweep has four parts: `before`, over all rows at
once; `loop`, level by level; `after`, over all rows again; and the totals over all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from cellwise.backends.base import Bound, Direction, Feed, Swept
from cellwise.backends.emit import EMIT, Function
from cellwise.backends.schedule import Schedule
from cellwise.graph.build import read
from cellwise.graph.node import Node, walk
from cellwise.graph.system import Equation

Values = dict[Node, Tensor]
Instruction = tuple[Node, Function]


@dataclass(frozen=True)
class Line:
    """One equation, ready to run.

    Attributes:
        equation: what it defines.
        itself: the node by which later equations read it.
        reads: the signals that it is the first to read.
        instructions: the operations that no line before it has done.
    """

    equation: Equation
    itself: Node
    reads: tuple[Node, ...]
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Plan:
    """A program as lists of torch functions."""

    leaves: tuple[Node, ...]
    fixed: tuple[Instruction, ...]
    before: tuple[Line, ...]
    loop: tuple[Line, ...]
    after: tuple[Line, ...]
    totals: tuple[Line, ...]


_OVER = ("total", "first")


def _needed(value: Node) -> list[Node]:
    """All nodes to compute row by row; an outer product under a total is the total's own."""
    over = [node for node in walk([value]) if node.operation in _OVER]
    if not over:
        return list(walk([value]))
    roots = [node for node in walk([value]) if not node.arguments and not node.varies]
    for node in over:
        inner = node.arguments[0]
        if node.operation == "total":
            roots.extend(inner.arguments if _is_product(inner) else [inner])
    return list(walk(roots))


def _is_product(node: Node) -> bool:
    return node.varies and node.operation == "outer"


def _instructions(nodes: Iterable[Node], sizes: Mapping[str, int]) -> tuple[Instruction, ...]:
    return tuple((node, EMIT[node.operation](node, sizes)) for node in nodes)


class _Planner:
    """Sorts nodes into what is computed once, what per section, and what per line."""

    def __init__(self, sizes: Mapping[str, int]):
        self.sizes = sizes
        self.fixed: dict[Node, None] = {}

    def section(self, equations: Sequence[Equation]) -> tuple[Line, ...]:
        done: set[Node] = set()
        lines = []
        for equation in equations:
            fresh = [n for n in _needed(equation.value) if n not in done]
            done.update(fresh)
            self.fixed.update(dict.fromkeys(n for n in fresh if not n.varies))
            reads = tuple(n for n in fresh if n.operation == "read")
            moving = [n for n in fresh if n.varies and n.operation != "read"]
            itself = read(equation.name, "t", equation.value.shape)
            lines.append(Line(equation, itself, reads, _instructions(moving, self.sizes)))
        return tuple(lines)


@lru_cache(maxsize=1024)
def plan(bound: Bound, direction: Direction) -> Plan:
    """A program as lists of torch functions; kept, because every call needs it."""
    program = bound.program(direction)
    planner = _Planner(dict(bound.sizes))
    sections = [
        planner.section(part)
        for part in (program.before, program.loop, program.after, program.totals)
    ]
    leaves = [n for n in planner.fixed if not n.arguments]
    inner = [n for n in planner.fixed if n.arguments]
    return Plan(tuple(leaves), _instructions(inner, planner.sizes), *sections)


def _leaf(node: Node, bound: Bound, feed: Feed, like: Tensor) -> Tensor:
    if node.operation == "parameter":
        return feed.parameters[str(node.attributes[0])]
    if node.operation == "constant":
        value = dict(bound.constants)[str(node.attributes[0])]
    else:
        value = float(str(node.attributes[0]))
    return torch.tensor(value, dtype=like.dtype, device=like.device)


def _run(line: Line, values: Values, n_rows: int) -> Tensor:
    for node, function in line.instructions:
        values[node] = function(*[values[a] for a in node.arguments])
    value = line.equation.value
    result = values[value]
    if not value.varies:
        result = result.expand(n_rows, *result.shape)
    values[line.itself] = result
    return result


class _Sweep:
    """One pass of a program over a schedule's rows."""

    def __init__(self, bound: Bound, direction: Direction, feed: Feed, schedule: Schedule):
        self.program, self.feed, self.schedule = bound.program(direction), feed, schedule
        self.plan = plan(bound, direction)
        self.sizes = dict(bound.sizes)
        self.local = {line.equation.name for line in self.plan.loop}
        self.states = self.program.system.states
        self.edges = dict(feed.edges)
        self.rows = {key: rows[: schedule.n_rows] for key, rows in feed.rows.items()}
        self.like = next(iter([*feed.rows.values(), *feed.edges.values()]))
        self.fixed: Values = {n: _leaf(n, bound, feed, self.like) for n in self.plan.leaves}
        for node, function in self.plan.fixed:
            self.fixed[node] = function(*[self.fixed[a] for a in node.arguments])

    def whole(self, node: Node) -> Tensor:
        """A read over all rows: given, or a state's rows moved by a level."""
        name, index = str(node.attributes[0]), str(node.attributes[1])
        if (name, index) not in self.rows:
            edge, rows = self.feed.edges[name], self.rows[name, "t"]
            self.rows[name, index] = self.schedule.shift(rows, edge, index)
        return self.rows[name, index]

    def over_rows(self, lines: Sequence[Line]) -> None:
        """Compute equations over all rows at once."""
        values = dict(self.fixed)
        for line in lines:
            values.update((r, self.whole(r)) for r in line.reads if r not in values)
            result = _run(line, values, self.schedule.n_rows)
            self.rows[line.equation.name, "t"] = result

    def over_levels(self, keep: Sequence[str]) -> None:
        """Compute the loop's equations level by level, and store the rows of `keep`."""
        here = {line.itself for line in self.plan.loop}
        outside = [
            r
            for line in self.plan.loop
            for r in line.reads
            if r not in here and not self._is_carried(r)
        ]
        pieces = {r: self.whole(r).split(list(self.schedule.sizes)) for r in outside}
        stored: dict[str, list[Tensor]] = {name: [] for name in keep}
        order = range(len(self.schedule.sizes))
        for level in reversed(order) if self.program.system.reverse else order:
            self._level(level, {r: p[level] for r, p in pieces.items()}, stored)
        for name, parts in stored.items():
            self.rows[name, "t"] = self._joined(name, parts)

    def _is_carried(self, node: Node) -> bool:
        return node.attributes[0] in self.local and node.attributes[1] != "t"

    def _level(self, level: int, pieces: Values, stored: Mapping[str, list[Tensor]]) -> None:
        size = self.schedule.sizes[level]
        values = {**self.fixed, **pieces}
        now: dict[str, Tensor] = {}
        for line in self.plan.loop:
            for node in line.reads:
                if self._is_carried(node):
                    values[node] = self.edges[str(node.attributes[0])][:size]
            now[line.equation.name] = _run(line, values, size)
        for name, parts in stored.items():
            parts.append(now[name])
        for name in self.states:
            if name in self.local:
                rest = self.edges[name][size:]
                self.edges[name] = torch.cat([now[name], rest]) if len(rest) else now[name]

    def _joined(self, name: str, parts: list[Tensor]) -> Tensor:
        if parts:
            return torch.cat(parts[::-1] if self.program.system.reverse else parts)
        shape = [size.evaluate(self.sizes) for size in self.program.system.shape_of(name)]
        return self.like.new_zeros(0, *shape)

    def edge(self, name: str) -> Tensor:
        """The last value of a state in every sequence, in the sweep's direction: [B, ·]."""
        if name in self.local:
            return self.edges[name]
        return self.schedule.last(
            self.rows[name, "t"], self.edges[name], reverse=self.program.system.reverse
        )

    def totals(self) -> dict[str, Tensor]:
        """Compute the sums over all rows; what several of them share is summed once."""
        values = dict(self.fixed)
        found = {}
        for line in self.plan.totals:
            values.update((r, self.whole(r)) for r in line.reads if r not in values)
            for node, function in line.instructions:
                values[node] = function(*[values[a] for a in node.arguments])
            found[line.equation.name] = self._closed(line.equation.value, values)
        return found

    def _closed(self, value: Node, values: Values) -> Tensor:
        """The value of an expression over totals."""
        for node in walk([value]):
            if node in values:
                continue
            if node.operation == "total":
                values[node] = self._total(node.arguments[0], values)
            elif node.operation == "first":
                values[node] = self.edges[str(node.arguments[0].attributes[0])].sum(0)
            elif not node.varies:
                function = EMIT[node.operation](node, self.sizes)
                values[node] = function(*[values[a] for a in node.arguments])
        return values[value]

    def _total(self, node: Node, values: Values) -> Tensor:
        if not node.varies:
            return values[node] * self.schedule.n_rows
        if not _is_product(node):
            return values[node].sum(0)
        vectors = [values[a] for a in node.arguments]
        rows = self.schedule.n_rows
        whole = [
            v if a.varies else v.expand(rows, *v.shape)
            for v, a in zip(vectors, node.arguments, strict=True)
        ]
        if len(whole) == 2:
            return whole[0].mT @ whole[1]
        return torch.einsum("ni,nj,nk->ijk", *whole)


class Reference:
    """Plain torch, op by op."""

    name = "reference"

    def prepared(
        self, bound: Bound, like: Tensor, schedule: Schedule, *, padded: bool = False
    ) -> None:
        """Nothing can be made ready."""

    def refuses(self, bound: Bound, like: Tensor) -> str:
        """Why it cannot serve a cell: never."""
        return ""

    def sweep(
        self,
        bound: Bound,
        direction: Direction,
        feed: Feed,
        schedule: Schedule,
        keep: Sequence[str],
    ) -> Swept:
        """Compute one program over all rows; `keep` names the signals to give back."""
        run = _Sweep(bound, direction, feed, schedule)
        run.over_rows(run.plan.before)
        later = [*keep, *_read_names([*run.plan.after, *run.plan.totals])]
        run.over_levels([name for name in dict.fromkeys(later) if name in run.local])
        run.over_rows(run.plan.after)
        totals = run.totals()
        rows = {name: run.rows[name, "t"] for name in keep}
        return Swept(rows, {name: run.edge(name) for name in run.states}, totals)


def _read_names(lines: Sequence[Line]) -> list[str]:
    return [str(r.attributes[0]) for line in lines for r in line.reads]
