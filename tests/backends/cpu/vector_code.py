"""The elementwise operations as functions of NumPy arrays, and how far off they are."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from cellwise.backends.cpu.denormals import emit_flush_off, emit_flush_on
from cellwise.backends.cpu.emitter import I64, POINTER, Emitter, integer
from cellwise.backends.cpu.machine import Library, assemble
from cellwise.backends.cpu.target import Precision, Target, runnable
from cellwise.backends.cpu.vector_math import EMIT
from cellwise.graph.operations import OPERATIONS
from tests.backends.cpu.forms import DTYPE, PRECISIONS

Array = NDArray[Any]

NAMES = [name for name, row in OPERATIONS.items() if row.kind == "elementwise"]
ARITY = {name: OPERATIONS[name].arity[0] for name in NAMES}


@dataclass(frozen=True)
class Code:
    """A target, a precision, a number of lanes, and whether denormals are flushed."""

    target: Target
    precision: Precision
    lanes: int
    flushes: bool = False

    def __str__(self) -> str:
        mode = "-flushing" if self.flushes else ""
        return f"{self.target.name}-{self.precision}-{self.lanes}{mode}"

    @property
    def dtype(self) -> np.dtype[Any]:
        return DTYPE[self.precision]

    def __call__(self, name: str, *arguments: Array) -> Array:
        """The operation on arrays of one length."""
        n = len(arguments[0])
        padding = np.ones(-n % self.lanes)
        filled = [np.append(a, padding).astype(self.dtype) for a in arguments]
        result = np.empty_like(filled[0])
        kinds = [*[ctypes.c_void_p] * (len(filled) + 1), ctypes.c_int64]
        function = ctypes.CFUNCTYPE(None, *kinds)(library(self).address(name))
        function(*(a.ctypes.data for a in filled), result.ctypes.data, len(result))
        return result[:n]


@cache
def library(code: Code) -> Library:
    return Library(assemble(module_text(code), code.target), code.target)


def module_text(code: Code) -> str:
    """A loop over arrays for every operation."""
    module = ir.Module()
    module.triple = code.target.triple
    for name in NAMES:
        write_loop(module, name, code)
    return str(module)


def write_loop(module: Any, name: str, code: Code) -> None:
    pointers = [POINTER] * (ARITY[name] + 1)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [*pointers, I64]), name)
    e = Emitter(function, code.target, code.precision)
    *sources, goal, count = function.args
    saved = emit_flush_on(e) if code.flushes else None

    def body(i: Any, _: Any) -> list[Any]:
        values = [e.load(e.at(source, i), code.lanes) for source in sources]
        e.store(EMIT[name](e, *values), e.at(goal, i))
        return []

    e.loop(integer(0), count, code.lanes, body)
    if code.flushes:
        emit_flush_off(e, saved)
    e.builder.ret_void()


WIDE = [Code(on, p, on.lanes(p)) for on in runnable() for p in PRECISIONS]
"""Whole registers, on every target that this machine executes."""

CODES = [*WIDE, *(Code(on, p, 1) for on in runnable() for p in PRECISIONS)]
FLUSHING = [Code(code.target, code.precision, code.lanes, flushes=True) for code in WIDE]


def ulps(found: Array, exact: Array, rest: Array | float = 0.0) -> Array:
    """The error in units in the last place of exact + rest, infinite for a wrong kind of number.

    Numbers below the normal ones count as 0, on both sides.
    """
    kind = np.finfo(found.dtype)
    with np.errstate(all="ignore"):
        unit = np.ldexp(1.0, np.frexp(exact)[1] - 1 - kind.nmant)
        error = np.abs((found.astype(np.float64) - exact) - rest) / unit
        rounded = exact.astype(found.dtype)
    same = (found == rounded) & ~np.isfinite(found)
    same |= np.isnan(found) & np.isnan(exact)
    same |= (np.abs(found) < kind.tiny) & (np.abs(rounded) <= kind.tiny)
    error[same] = 0.0
    return np.where(np.isnan(error), np.inf, error)
