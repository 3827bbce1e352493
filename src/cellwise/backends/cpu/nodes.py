"""One sweep over the nodes of a forest: the leaves' program and that of the levels."""

from __future__ import annotations

import torch
from torch import Tensor

from cellwise.backends.base import Direction, NodesBound, NodesFeed, NodesSwept
from cellwise.backends.cpu.compiled import Compiled, compiled
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.frames import slots
from cellwise.backends.cpu.node_work import NodeRows
from cellwise.backends.cpu.normal_form import RowsBound, parts
from cellwise.backends.cpu.sweep import Sweep
from cellwise.backends.cpu.target import chosen
from cellwise.backends.cpu.totals import plans
from cellwise.backends.nodes import Nodes
from cellwise.errors import ShapeError


def sweep(
    bound: NodesBound, direction: Direction, feed: NodesFeed, nodes: Nodes, keep: tuple[str, ...]
) -> NodesSwept:
    """Compute the equations at all nodes; `keep` names the signals to give back."""
    return _NodesSweep(bound, direction, feed, nodes).run(keep)


class _NodesSweep:
    def __init__(self, bound: NodesBound, direction: Direction, feed: NodesFeed, nodes: Nodes):
        self.bound, self.direction, self.nodes = bound, direction, nodes
        self.like, self.parameters = feed.like, feed.parameters
        self.rows = {name: t.contiguous() for name, t in feed.rows.items()}
        self.zeros: Tensor = self.like.new_zeros(1)
        self.totals: dict[str, Tensor] = {}

    def run(self, keep: tuple[str, ...]) -> NodesSwept:
        main, leaf = parts(self.bound)
        order = [(leaf, True), (main, False)]
        for part, is_leaf in order if self.direction == "forward" else order[::-1]:
            if part is not None:
                self._part(part, keep, leaf=is_leaf, sent=self._sent(leaf))
        self._fill(keep, main, leaf)
        return NodesSwept({name: self.rows[name] for name in keep}, self._all_totals())

    def _sent(self, leaf: RowsBound | None) -> tuple[str, ...]:
        """What the leaves' program reads of the levels'."""
        return leaf.program(self.direction).system.given if leaf else ()

    def _part(
        self, part: RowsBound, keep: tuple[str, ...], *, leaf: bool, sent: tuple[str, ...]
    ) -> None:
        """Run one program over its rows."""
        defined = part.program(self.direction).system.defined
        wanted = dict.fromkeys(name for name in (*keep, *sent) if name in defined)
        precision = "f32" if self.like.dtype == torch.float32 else "f64"
        code = compiled(part, self.direction, tuple(wanted), precision, chosen())
        extent = NodeRows(self.nodes, leaf=leaf, backward=self.direction == "backward")
        fixed = Fixed(self.parameters, code.constants, code.sizes, self.like.dtype)
        one = Sweep(code, extent, fixed, torch.get_num_threads())
        self._check(code, extent)
        for name in code.layout.kept:
            if name not in self.rows:
                self.rows[name] = self.like.new_empty((self.nodes.n_rows, *code.shapes[name]))
        one.rows = self.rows
        one.edges = dict.fromkeys(self._missing(code), self._zeros(code))
        for name, total in one.run().totals.items():
            known = self.totals.get(name)
            self.totals[name] = total if known is None else known + total

    def _missing(self, code: Compiled) -> list[str]:
        """The signals that are read at neighbours, which may not be there."""
        factors = [f for plan in plans(code) for f in (plan.first, *plan.others)]
        return [name for _, name in slots(code).edges] + [f.name for f in factors if f.index]

    def _zeros(self, code: Compiled) -> Tensor:
        """What is read where a neighbour is not there."""
        outside = [numbers[-1] for numbers in code.outside.values() if numbers]
        widest = max([1, *code.layout.sizes.values(), *outside])
        if self.zeros.shape[0] < widest:
            self.zeros = self.like.new_zeros(widest)
        return self.zeros

    def _fill(self, keep: tuple[str, ...], main: RowsBound, leaf: RowsBound | None) -> None:
        """Zeros in the rows of what is kept that no program has computed."""
        n_leaves = self.nodes.n_leaves
        for name in keep:
            if name not in self.rows:
                shape = self._shape(name)
                self.rows[name] = self.like.new_zeros((self.nodes.n_rows, *shape))
                continue
            if name not in main.program(self.direction).system.defined:
                self.rows[name][n_leaves:].zero_()
            if leaf is not None and name not in leaf.program(self.direction).system.defined:
                self.rows[name][:n_leaves].zero_()

    def _shape(self, name: str) -> list[int]:
        compiled_ = self.bound.compiled
        system = compiled_.forward if self.direction == "forward" else compiled_.backward
        sizes = dict(self.bound.sizes)
        return [size.evaluate(sizes) for size in system.shape_of(name)]

    def _all_totals(self) -> dict[str, Tensor]:
        """Every parameter's gradient; zeros for those that nothing reads."""
        if self.direction == "forward":
            return {}
        found = {}
        for parameter, name in self.bound.compiled.names.items():
            if parameter in self.parameters:
                total = self.totals.get(name)
                none = total is None
                found[name] = torch.zeros_like(self.parameters[parameter]) if none else total
        return found  # type: ignore[return-value]

    def _check(self, code: Compiled, extent: NodeRows) -> None:
        """Compiled code reads where it is told to: nothing may be smaller than it was made for.

        Raises:
            ShapeError: an array has another shape.
        """
        for name, tensor in self.parameters.items():
            if tuple(tensor.shape) != code.outside.get(name, tuple(tensor.shape)):
                raise ShapeError(f"'{name}' must have shape {list(code.outside[name])}")
        for name, shape in code.outside.items():
            rows = self.rows.get(name)
            if rows is None:
                continue
            least = extent.start + extent.n_rows
            if rows.shape[0] < least or tuple(rows.shape[1:]) != shape:
                wanted = [least, *shape]
                raise ShapeError(f"'{name}' must have shape {wanted}, but has {list(rows.shape)}")
