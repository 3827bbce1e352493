from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch
from llvmlite import ir

from cellwise.backends.cpu.denormals import emit_flush_off, emit_flush_on
from cellwise.backends.cpu.emitter import POINTER, Emitter
from cellwise.backends.cpu.machine import Library, assemble, assembly
from cellwise.backends.cpu.target import runnable, target
from tests.backends.cpu.forms import DTYPE, PRECISIONS


def product_module(on, precision):
    """Number 0 times number 1 into number 2, with denormals flushed."""
    module = ir.Module()
    module.triple = on.triple
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER]), "multiply")
    e = Emitter(function, on, precision)
    saved = emit_flush_on(e)
    numbers = function.args[0]
    e.store(e.builder.fmul(e.load(numbers, 1), e.load(e.at(numbers, 1), 1)), e.at(numbers, 2))
    emit_flush_off(e, saved)
    e.builder.ret_void()
    return str(module)


def flushes_here(dtype):
    return bool(np.array([np.finfo(dtype).tiny]) * np.array([0.5], dtype) == 0)


@pytest.fixture(params=[False, True], ids=["caller-keeps", "caller-flushes"])
def caller_flushes(request):
    assert torch.set_flush_denormal(request.param)
    yield request.param
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("on", runnable(), ids=lambda t: t.name)
def test_denormals_are_flushed_inside_and_the_callers_mode_is_back(on, precision, caller_flushes):
    dtype = DTYPE[precision]
    library = Library(assemble(product_module(on, precision), on), on)
    multiply = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.address("multiply"))
    tiny = float(np.finfo(dtype).tiny)
    for left, right in ((tiny, 0.5), (tiny / 2, 2.0)):  # a denormal result, a denormal operand
        if caller_flushes and left < tiny:
            continue  # cannot be written down in this mode
        numbers = np.array([left, right, 1.0], dtype)
        multiply(numbers.ctypes.data)
        assert numbers[2] == 0
        assert flushes_here(dtype) is caller_flushes


@pytest.mark.parametrize("level", [0, 2])
def test_arm_has_its_own_register(level):
    on = target("neon")
    text = assembly(product_module(on, "f32"), on, level=level)[1].lower()
    places = [text.index("msr"), text.index("fmul"), text.rindex("msr")]
    assert text.count("msr\tfpcr") == 2 and places == sorted(places)
