"""One sweep over the nodes of a forest: the leaves' program and that of the levels."""

from __future__ import annotations

import torch
from torch import Tensor

from cellwise.backends.base import Direction, NodesBound, NodesFeed, NodesSwept
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.node_programs import Part, Whole, programs
from cellwise.backends.cpu.node_work import NodeRows
from cellwise.backends.cpu.precisions import PRECISIONS
from cellwise.backends.cpu.sweep import Sweep
from cellwise.backends.cpu.target import chosen
from cellwise.backends.nodes import Nodes
from cellwise.errors import ShapeError


def sweep(
    bound: NodesBound, direction: Direction, feed: NodesFeed, nodes: Nodes, keep: tuple[str, ...]
) -> NodesSwept:
    """Compute the equations at all nodes; `keep` names the signals to give back.

    Of a signal that goes with an input that ends with the leaves, only their rows are given back.
    """
    whole = programs(bound, direction, keep, PRECISIONS[feed.like.dtype], chosen())
    return _NodesSweep(whole, feed, nodes).run()


class _NodesSweep:
    def __init__(self, whole: Whole, feed: NodesFeed, nodes: Nodes):
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

    def _part(self, part: Part) -> None:
        """Run one program over its rows."""
        code = part.code
        fixed = Fixed(self.parameters, code.constants, code.sizes, self.like.dtype)
        one = Sweep(code, self._extent(part), fixed, torch.get_num_threads())
        own: dict[str, Tensor] = {}  # what no equation defines has a name in its program alone
        for name in code.layout.kept:
            rows = self.rows if name in part.defined else own
            if name not in rows:
                rows[name] = self.like.new_empty((self._count(name), *code.shapes[name]))
        one.rows = {**self.rows, **own}
        one.edges = dict.fromkeys(part.neighbours, self.zeros)
        for name, total in one.run().totals.items():
            known = self.totals.get(name)
            self.totals[name] = total if known is None else known + total

    def _extent(self, part: Part) -> NodeRows:
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
