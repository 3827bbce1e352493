"""Lists of calls of compiled functions, carried out by compiled code on one thread or several."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from cellwise.backends.cpu.denormals import emit_flush_off, emit_flush_on
from cellwise.backends.cpu.emitter import I64, POINTER, Emitter, Value, integer
from cellwise.backends.cpu.machine import Library, assemble, kept_image
from cellwise.backends.cpu.parallel import run
from cellwise.backends.cpu.target import Target, chosen

MOST_ARGUMENTS = 15
ENTRY = 1 + MOST_ARGUMENTS
"""Numbers an entry of a list takes: the function's address, then its arguments."""


def carry_out(calls: npt.NDArray[np.int64], n_threads: int) -> None:
    """Make all calls of a table [n, ENTRY]: the address of a function, then its arguments.

    The functions take whole numbers and pointers only, and return nothing. Thread i of n makes the
    calls i, i + n and so on; denormal numbers are flushed to zero meanwhile.
    """
    if not len(calls):
        return
    n_calls, n_threads = len(calls), max(1, min(n_threads, len(calls)))
    first, step = calls.ctypes.data, n_threads * ENTRY * 8
    numbers = array("q")
    for at in range(n_threads):
        numbers.extend((first + at * ENTRY * 8, step, -(-(n_calls - at) // n_threads)))
    place, _ = numbers.buffer_info()
    run(_address(), [place + at * 24 for at in range(n_threads)], n_threads)


def call(function: int, *arguments: int) -> Sequence[int]:
    """An entry of a list of calls."""
    return (function, *arguments, *([0] * (MOST_ARGUMENTS - len(arguments))))


@cache
def _library() -> Library:
    target = chosen()
    image = kept_image(lambda: assemble(emit_calls(target), target), target, "calls")
    return Library(image, target)


@cache
def _address() -> int:
    return _library().address("calls")


def emit_calls(target: Target) -> str:
    """The LLVM IR of `calls(task)`, with task = (address of the first entry, bytes apart, count).

    A callee that takes fewer arguments than it gets does not look at the others: so the calling
    conventions of all targets have it.
    """
    module = ir.Module("calls")
    module.triple = target.triple
    kind = ir.FunctionType(ir.VoidType(), [POINTER])
    e = Emitter(ir.Function(module, kind, "calls"), target, "f32")
    (task,) = e.function.args
    callee = ir.FunctionType(ir.VoidType(), [I64] * MOST_ARGUMENTS)
    saved = emit_flush_on(e)
    step, count = e.load_integer(task, 1), e.load_integer(task, 2)

    def one(_: Value, carried: list[Value]) -> list[Value]:
        entry = e.builder.inttoptr(carried[0], POINTER)
        function = e.builder.load(entry, align=8, typ=ir.PointerType(callee))
        arguments = [e.load_integer(entry, 1 + k) for k in range(MOST_ARGUMENTS)]
        e.builder.call(function, arguments)
        return [e.builder.add(carried[0], step)]

    e.loop(integer(0), count, 1, one, [e.load_integer(task, 0)])
    emit_flush_off(e, saved)
    e.builder.ret_void()
    return str(module)
