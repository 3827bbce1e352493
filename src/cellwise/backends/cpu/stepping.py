"""Layers on top of each other, one step at a time: everything is prepared once, but x and y."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from cellwise.backends.base import Bound, Feed
from cellwise.backends.cpu.compiled import compiled
from cellwise.backends.cpu.precisions import PRECISIONS
from cellwise.backends.cpu.sweep import Sweep
from cellwise.backends.cpu.target import chosen
from cellwise.backends.schedule import levels

_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Step:
    """One layer: a sweep over a single level, its weights packed, its states changed in place.

    Attributes:
        frame: what the kernel is called with; `x` and `y` are the slots of its input and output,
            `x` None where the kernel reads no input.
    """

    def __init__(self, bound: Bound, feed: Feed):
        (((name, _), rows),) = feed.rows.items()
        system = bound.program("forward").system
        precision = PRECISIONS[rows.dtype]
        code = compiled(bound, "forward", (system.output,), precision, chosen())
        sweep = Sweep.over_steps(code, feed, levels([len(rows)], len(rows)), 1)
        sweep.last = sweep.edges  # the kernel copies the states in before a step, and out after it
        (numbers,) = sweep.frames()
        self._sweep = sweep  # it holds what the frame points at
        self.frame, self.address = memoryview(numbers), numbers.buffer_info()[0]
        x, y = ("rows", name), ("rows", system.output)
        self.x = code.keys.index(x) if x in code.keys else None
        self.y = code.keys.index(y)
        self.input = rows
        self.run_kernel = _KERNEL(code.address)


class Steps:
    """A step of all layers, in the calling thread.

    Args:
        layers: each layer's cell, and what feeds it: one input [B, ·], in whose memory the layer
            below will leave its output; its states [B, ·], contiguous, which every step changes in
            place; its parameters. Their memory must stay as it is.
        output: a tensor of the shape and type of the last layer's output.

    Attributes:
        advance: from x, as large as the first layer's input, to a new y.
    """

    def __init__(self, layers: Sequence[tuple[Bound, Feed]], output: Tensor):
        self._steps = [_Step(bound, feed) for bound, feed in layers]
        for lower, upper in zip(self._steps, self._steps[1:], strict=False):
            lower.frame[lower.y] = upper.input.data_ptr()
        self.advance = self._advance(output)

    def _advance(self, like: Tensor) -> Callable[[Tensor], Tensor]:
        """The step as one function, all that it reads in its own cells: so it takes less time."""
        first, last = self._steps[0], self._steps[-1]
        unread = memoryview(array("q", [0])), 0
        sources, source = unread if first.x is None else (first.frame, first.x)
        results, result = last.frame, last.y
        # The steps themselves stand there because they hold the memory.
        calls = [(step.run_kernel, step.address, step) for step in self._steps]
        new, address = torch.empty_like, Tensor.data_ptr

        def advance(x: Tensor) -> Tensor:
            x = x.contiguous()
            y = new(like)
            sources[source] = address(x)
            results[result] = address(y)
            for run, frame, _ in calls:
                run(frame)
            return y

        return advance
