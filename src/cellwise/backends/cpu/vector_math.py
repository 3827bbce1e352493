"""Every elementwise operation as vector code: the CPU back end's table."""

from __future__ import annotations

from collections.abc import Callable

from cellwise.backends.cpu.emitter import Emitter, Value
from cellwise.backends.cpu.math import (
    exponential,
    gaussian,
    hyperbolic,
    logarithm,
    piecewise,
    power,
    trigonometric,
)
from cellwise.backends.cpu.math.lanes import Lanes

Emit = Callable[..., Value]


def _emit(function: Callable[..., Lanes]) -> Emit:
    def write(emitter: Emitter, *values: Value) -> Value:
        return function(*(Lanes(emitter, value) for value in values)).value

    return write


EMIT: dict[str, Emit] = {
    "neg": _emit(lambda a: -a),
    "abs": _emit(abs),
    "sign": _emit(piecewise.sign),
    "step": _emit(piecewise.step),
    "exp": _emit(exponential.exp),
    "log": _emit(logarithm.log),
    "sqrt": _emit(lambda a: a.root()),
    "sin": _emit(trigonometric.sin),
    "cos": _emit(trigonometric.cos),
    "erf": _emit(gaussian.erf),
    "tanh": _emit(hyperbolic.tanh),
    "sigmoid": _emit(exponential.sigmoid),
    "relu": _emit(piecewise.relu),
    "softplus": _emit(exponential.softplus),
    "silu": _emit(exponential.silu),
    "gelu": _emit(gaussian.gelu),
    "hard_sigmoid": _emit(piecewise.hard_sigmoid),
    "hard_tanh": _emit(piecewise.hard_tanh),
    "add": _emit(lambda a, b: a + b),
    "sub": _emit(lambda a, b: a - b),
    "mul": _emit(lambda a, b: a * b),
    "div": _emit(lambda a, b: a / b),
    "pow": _emit(power.power),
    "maximum": _emit(piecewise.maximum),
    "minimum": _emit(piecewise.minimum),
    "greater": _emit(piecewise.greater),
}
"""`EMIT[operation](emitter, *values)` writes an operation on LLVM vectors; it returns a vector.

The code is straight: no branches, no calls, any number of lanes, and lanes do not mix. Values agree
with the reference's at ±inf, NaN and ±0. Results below the normal numbers may be 0, and it does not
matter whether the processor flushes denormals. Every function is within 4 units in the last place
of the exact value; sine and cosine are NaN for |x| > 2^31.
"""
