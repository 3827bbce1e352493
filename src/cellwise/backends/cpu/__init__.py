"""The CPU back end: programs become machine code through LLVM, without a compiler on the machine.

passes.normal, passes.stages     a program cut into stages
layout, panels                   where signals and weights lie
elementwise, kernel              a stage and the loop over levels as LLVM IR
products, packing, outer, sums   the runtime that all kernels share
moves, node_moves                rows between a forest's order and its fold's
compiled, frames, sweep, totals  a call: arrays into frames, then the code
prepared, prepared_nodes         the same with all made ready but addresses
memory                           large arrays that stay from call to call
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cellwise.backends.base import (
    Bound,
    Direction,
    Feed,
    NodesBound,
    NodesFeed,
    NodesSwept,
    PreparedFold,
    PreparedNodesFold,
    Swept,
)
from cellwise.backends.cpu.normal_form import parts, why_none
from cellwise.backends.cpu.precisions import PRECISIONS
from cellwise.backends.nodes import Nodes
from cellwise.backends.schedule import Schedule
from cellwise.errors import BackendError
from cellwise.passes.rows import RowPrograms

if TYPE_CHECKING:
    from cellwise.backends.cpu.target import Target


class Cpu:
    """Programs as machine code. What it needs of LLVM is loaded when it first serves a call."""

    name = "cpu"

    def refuses(self, bound: Bound, like: Tensor) -> str:
        """Why it cannot serve a cell on arrays like this one, or an empty text."""
        return _no_arrays(like) or why_none(bound)

    def prepared(
        self, bound: Bound, like: Tensor, schedule: Schedule, *, padded: bool = False
    ) -> PreparedFold | None:
        """The fold over a schedule of arrays like this one, with all that can be made ready."""
        precision = PRECISIONS.get(like.dtype)
        if precision is None or not like.is_cpu or _no_machine() or why_none(bound):
            return None
        make, chosen = _preparing()
        return make(bound, schedule, torch.get_num_threads(), precision, chosen(), padded)

    def sweep(
        self,
        bound: Bound,
        direction: Direction,
        feed: Feed,
        schedule: Schedule,
        keep: Sequence[str],
    ) -> Swept:
        """Compute one program over all rows; `keep` names the signals to give back.

        Raises:
            BackendError: it refuses.
        """
        from cellwise.backends.cpu.compiled import compiled
        from cellwise.backends.cpu.sweep import Sweep
        from cellwise.backends.cpu.target import chosen

        like = next(iter([*feed.rows.values(), *feed.edges.values()]))
        reason = self.refuses(bound, like) or _mixed(like, feed.parameters, feed.edges, feed.rows)
        if reason:
            raise BackendError(f"the back end 'cpu' cannot serve this cell: {reason}")
        precision = PRECISIONS[like.dtype]
        code = compiled(bound, direction, tuple(keep), precision, chosen())
        return Sweep.over_steps(code, feed, schedule, torch.get_num_threads()).run()


class CpuNodes:
    """Equations over the nodes of forests as machine code, rows gathered by address."""

    name = "cpu"

    def prepared(
        self, bound: NodesBound, like: Tensor, nodes: Nodes, n_inputs: int
    ) -> PreparedNodesFold | None:
        """The fold over some nodes, with all that can be made ready."""
        precision = PRECISIONS.get(like.dtype)
        if precision is None or not like.is_cpu or _no_machine() or _unprepared(bound):
            return None
        make, chosen = _preparing_nodes()
        return make(bound, nodes, n_inputs, torch.get_num_threads(), (precision, chosen()))

    def refuses(self, bound: NodesBound, like: Tensor, nodes: Nodes | None = None) -> str:
        """Why it cannot serve the cell, arrays like this one or these nodes, or an empty text."""
        if nodes is not None and bound.compiled.forward.labels and not nodes.are_trees:
            return "it takes the label of an edge for its child's, and a node has several parents"
        reason = _no_arrays(like) or (bound.rows if isinstance(bound.rows, str) else "")
        found = (why_none(part) for part in parts(bound) if part) if not reason else ()
        return reason or next((why for why in found if why), "")

    def saved(self, bound: NodesBound) -> tuple[str, ...]:
        """What its forward keeps for its backward, besides inputs and results."""
        assert isinstance(bound.rows, RowPrograms)
        return bound.rows.saved

    def sweep(
        self,
        bound: NodesBound,
        direction: Direction,
        feed: NodesFeed,
        nodes: Nodes,
        keep: Sequence[str],
    ) -> NodesSwept:
        """Compute the equations at all nodes; `keep` names the signals to give back.

        Raises:
            BackendError: it refuses.
        """
        from cellwise.backends.cpu.nodes import sweep

        reason = self.refuses(bound, feed.like, nodes) or _mixed(
            feed.like, feed.parameters, feed.rows
        )
        if reason:
            raise BackendError(f"the back end 'cpu' cannot serve this cell: {reason}")
        return sweep(bound, direction, feed, nodes, tuple(keep))


@lru_cache(maxsize=1)
def _preparing() -> tuple[Callable[..., PreparedFold], Callable[[], Target]]:
    """What is loaded when it first serves a call."""
    from cellwise.backends.cpu.prepared import prepared
    from cellwise.backends.cpu.target import chosen

    return prepared, chosen


@lru_cache(maxsize=1)
def _preparing_nodes() -> tuple[Callable[..., PreparedNodesFold], Callable[[], Target]]:
    from cellwise.backends.cpu.prepared_nodes import prepared_nodes
    from cellwise.backends.cpu.target import chosen

    return prepared_nodes, chosen


@lru_cache(maxsize=1024)
def _unprepared(bound: NodesBound) -> bool:
    """Whether calls of a cell must be swept, whatever their arrays and nodes."""
    labelled = bool(bound.compiled.forward.labels)
    return labelled or isinstance(bound.rows, str) or any(map(why_none, filter(None, parts(bound))))


def _no_arrays(like: Tensor) -> str:
    """Why arrays like this one cannot be served, or an empty text."""
    if like.device.type != "cpu":
        return f"it computes on the CPU, and the arrays are on {like.device}"
    if like.dtype not in PRECISIONS:
        return f"it computes in float32 and float64, and the arrays are {like.dtype}"
    return _no_machine()


def _mixed(like: Tensor, *groups: Mapping[Any, Tensor]) -> str:
    """Which array differs in type or place from another, or an empty text."""
    dtype = like.dtype
    for arrays in groups:
        for key, tensor in arrays.items():
            if tensor.dtype is not dtype or not tensor.is_cpu:
                name = key if isinstance(key, str) else key[0]
                return (
                    f"'{name}' is {tensor.dtype} on {tensor.device}, but other arrays are "
                    f"{like.dtype} on {like.device}"
                )
    return ""


@lru_cache(maxsize=1)
def _no_machine() -> str:
    """Why nothing can be compiled here at all, or an empty text."""
    from cellwise.backends.cpu.target import runnable

    return "" if runnable() else "there are no kernels for this processor"
