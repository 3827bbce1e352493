"""Layers on top of each other, one step at a time: everything is prepared once, but x and y."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from cellwise.backends.base import Bound, Feed
from cellwise.backends.cpu.compiled import compiled
from cellwise.backends.cpu.sweep import Sweep
from cellwise.backends.cpu.target import chosen
from cellwise.backends.schedule import levels

_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Step(Sweep):
    """One layer: a sweep over a single level, its weights packed, its states changed in place.

    Attributes:
        frame: what the kernel is called with; `x` and `y` are the slots of its input and output.
    """

    def __init__(self, bound: Bound, feed: Feed):
        (((name, _), rows),) = feed.rows.items()
        system = bound.program("forward").system
        precision = "f32" if rows.dtype == torch.float32 else "f64"
        code = compiled(bound, "forward", (system.output,), precision, chosen())
        super().__init__(code, feed, levels([len(rows)], len(rows)), n_threads=1)
        self.last = self.edges  # the kernel copies the states in before a step, and out after it
        (numbers,) = self.frames()
        self.frame = (ctypes.c_int64 * len(numbers)).from_address(numbers.ctypes.data)
        self.x, self.y = (code.keys.index(("rows", signal)) for signal in (name, system.output))
        self.input = rows
        self.run_kernel = _KERNEL(code.address)


class Steps:
    """A step of all layers, in the calling thread.

    Args:
        layers: each layer's cell, and what feeds it: one input [B, ·], in whose memory the layer
            below will leave its output; its states [B, ·], contiguous, which every step changes in
            place; its parameters. Their memory must stay as it is.
        output: a tensor of the shape and type of the last layer's output.
    """

    def __init__(self, layers: Sequence[tuple[Bound, Feed]], output: Tensor):
        self._steps = [_Step(bound, feed) for bound, feed in layers]
        self._output = output
        for lower, upper in zip(self._steps, self._steps[1:], strict=False):
            lower.frame[lower.y] = upper.input.data_ptr()
        first, last = self._steps[0], self._steps[-1]
        self._first, self._x = first.frame, first.x
        self._last, self._y = last.frame, last.y
        self._calls = [(step.run_kernel, ctypes.addressof(step.frame)) for step in self._steps]

    def advance(self, x: Tensor) -> Tensor:
        """From x, as large as the first layer's input, to a new y."""
        x = x.contiguous()
        y = torch.empty_like(self._output)
        self._first[self._x] = x.data_ptr()
        self._last[self._y] = y.data_ptr()
        for run, frame in self._calls:
            run(frame)
        return y
