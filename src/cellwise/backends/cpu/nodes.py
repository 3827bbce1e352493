"""One sweep over the nodes of a forest: the leaves' program and that of the levels."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from cellwise.backends.base import Direction, NodesBound, NodesFeed, NodesSwept
from cellwise.backends.cpu.compiled import Compiled, compiled
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.frames import neighbours
from cellwise.backends.cpu.node_work import NodeRows
from cellwise.backends.cpu.normal_form import parts
from cellwise.backends.cpu.precisions import PRECISIONS
from cellwise.backends.cpu.sum_calls import plans
from cellwise.backends.cpu.sweep import Sweep
from cellwise.backends.cpu.target import Precision, Target, chosen
from cellwise.backends.nodes import Nodes
from cellwise.errors import ShapeError


def sweep(
    bound: NodesBound, direction: Direction, feed: NodesFeed, nodes: Nodes, keep: tuple[str, ...]
) -> NodesSwept:
    """Compute the equations at all nodes; `keep` names the signals to give back.

    Of a signal that goes with an input that ends with the leaves, only their rows are given back.
    """
    whole = _prepared(bound, direction, keep, PRECISIONS[feed.like.dtype], chosen())
    return _NodesSweep(whole, feed, nodes).run()


class _Part:
    """One program of a sweep.

    Attributes:
        code: compiled.
        leaf: whether it is the leaves'.
        defined: the names of its equations.
        neighbours: the signals that are read at neighbours, which may not be there.
        widest: how many numbers a row has, at most.
    """

    def __init__(self, code: Compiled, *, leaf: bool):
        self.code, self.leaf = code, leaf
        self.defined = frozenset(code.program.system.defined)
        factors = [f for plan in plans(code) for f in (plan.first, *plan.others)]
        self.neighbours = list(neighbours(code))
        self.neighbours += [factor.name for factor in factors if factor.index]
        outside = [numbers[-1] for numbers in code.outside.values() if numbers]
        self.widest = max([1, *code.layout.sizes.values(), *outside])


class _Whole:
    """Both programs, and what is the same in every sweep.

    Attributes:
        bound: the cell.
        backward: whether this is its derivative.
        keep: the signals to give back.
        parts: in the order in which they run.
        outside: the shapes of what comes from outside, and whether only leaves read it.
        widest: how many numbers a row has, at most.
    """

    def __init__(self, bound: NodesBound, direction: Direction, keep: tuple[str, ...]):
        self.bound, self.backward, self.keep = bound, direction == "backward", keep
        self.labels = bound.compiled.forward.labels
        self.parts: list[_Part] = []
        self.outside: dict[str, tuple[tuple[int, ...], bool]] = {}
        self.widest = 1

    def add(self, part: _Part) -> None:
        """Another program."""
        self.parts.insert(0 if self.backward else len(self.parts), part)
        for name, shape in part.code.outside.items():
            _, only_leaves = self.outside.get(name, (shape, True))
            self.outside[name] = shape, only_leaves and part.leaf
        self.widest = max(self.widest, part.widest)

    def gaps(self, name: str) -> list[bool]:
        """Of whose rows nothing computes a signal: leaves' (True), those of the levels (False)."""
        return [part.leaf for part in self.parts if name not in part.defined]

    def shape(self, name: str) -> list[int]:
        """The shape of a row."""
        system = self.bound.compiled
        sizes = dict(self.bound.sizes)
        found = (system.backward if self.backward else system.forward).shape_of(name)
        return [size.evaluate(sizes) for size in found]


@lru_cache(maxsize=512)
def _prepared(
    bound: NodesBound,
    direction: Direction,
    keep: tuple[str, ...],
    precision: Precision,
    target: Target,
) -> _Whole:
    """The programs of a sweep, compiled; kept for the next one."""
    main, leaf = parts(bound)
    whole = _Whole(bound, direction, keep)
    sent = leaf.program(direction).system.given if leaf else ()
    for part in (leaf, main):
        if part is not None:
            defined = part.program(direction).system.defined
            wanted = dict.fromkeys(name for name in (*keep, *sent) if name in defined)
            code = compiled(part, direction, tuple(wanted), precision, target)
            whole.add(_Part(code, leaf=part is leaf))
    return whole


class _NodesSweep:
    def __init__(self, whole: _Whole, feed: NodesFeed, nodes: Nodes):
        self.whole, self.nodes = whole, nodes
        self.like, self.parameters = feed.like, feed.parameters
        self.rows = {name: t.contiguous() for name, t in feed.rows.items()}
        self.zeros = self.like.new_zeros(whole.widest)
        self.totals: dict[str, Tensor] = {}
        names = whole.bound.compiled.names
        self.short = {
            names[name]
            for name, rows in feed.rows.items()
            if name in names and rows.shape[0] == nodes.n_leaves < nodes.n_rows
        }

    def run(self) -> NodesSwept:
        self._check()
        for part in self.whole.parts:
            self._part(part)
        self._fill()
        return NodesSwept({name: self.rows[name] for name in self.whole.keep}, self._all_totals())

    def _part(self, part: _Part) -> None:
        """Run one program over its rows."""
        code = part.code
        fixed = Fixed(self.parameters, code.constants, code.sizes, self.like.dtype)
        one = Sweep(code, self._extent(part), fixed, torch.get_num_threads())
        for name in code.layout.kept:
            if name not in self.rows:
                self.rows[name] = self.like.new_empty((self._count(name), *code.shapes[name]))
        one.rows = self.rows
        one.edges = dict.fromkeys(part.neighbours, self.zeros)
        for name, total in one.run().totals.items():
            known = self.totals.get(name)
            self.totals[name] = total if known is None else known + total

    def _extent(self, part: _Part) -> NodeRows:
        return NodeRows(self.nodes, leaf=part.leaf, backward=self.whole.backward)

    def _count(self, name: str) -> int:
        """How many rows an array has."""
        return self.nodes.n_leaves if name in self.short else self.nodes.n_rows

    def _fill(self) -> None:
        """Zeros in the rows of what is kept that no program has computed."""
        n_leaves, whole = self.nodes.n_leaves, self.whole
        for name in whole.keep:
            if name not in self.rows:
                shape = self._count(name), *whole.shape(name)
                self.rows[name] = self.like.new_zeros(shape)
                continue
            for leaf in whole.gaps(name):
                rows = self.rows[name]
                (rows[:n_leaves] if leaf else rows[n_leaves:]).zero_()

    def _all_totals(self) -> dict[str, Tensor]:
        """Every parameter's gradient; zeros for those that nothing reads."""
        if not self.whole.backward:
            return {}
        found = {}
        for parameter, name in self.whole.bound.compiled.names.items():
            if parameter in self.parameters:
                total = self.totals.get(name)
                none = total is None
                found[name] = torch.zeros_like(self.parameters[parameter]) if none else total
        return found  # type: ignore[return-value]

    def _check(self) -> None:
        """Compiled code reads where it is told to: nothing may be smaller than it was made for.

        Raises:
            ShapeError: an array has another shape.
        """
        parameters, rows = self.parameters, self.rows
        for name, (shape, only_leaves) in self.whole.outside.items():
            labelled = name in self.whole.labels
            if name in parameters and parameters[name].shape[labelled:] != shape:
                raise ShapeError(f"'{name}' must have shape {list(shape)}")
            if name in rows:
                least, (count, *found) = self._least(only_leaves), rows[name].shape
                if count < least or tuple(found) != shape:
                    wanted = f"must have shape {[least, *shape]}"
                    raise ShapeError(f"'{name}' {wanted}, but has {[count, *found]}")

    def _least(self, only_leaves: bool) -> int:
        return self.nodes.n_leaves if only_leaves else self.nodes.n_rows
