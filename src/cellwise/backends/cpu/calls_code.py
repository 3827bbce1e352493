"""The code that makes a list of calls."""

from __future__ import annotations

from llvmlite import ir

from cellwise.backends.cpu.denormals import emit_flush_off, emit_flush_on
from cellwise.backends.cpu.emitter import I64, POINTER, Emitter, Value, integer
from cellwise.backends.cpu.target import Target


def emit_calls(target: Target, n_arguments: int) -> str:
    """The LLVM IR of `calls(task)`, with task = (address of the first entry, bytes apart, count).

    A callee that takes fewer arguments than it gets does not look at the others: so the calling
    conventions of all targets have it.
    """
    module = ir.Module("calls")
    module.triple = target.triple
    kind = ir.FunctionType(ir.VoidType(), [POINTER])
    e = Emitter(ir.Function(module, kind, "calls"), target, "f32")
    (task,) = e.function.args
    callee = ir.FunctionType(ir.VoidType(), [I64] * n_arguments)
    saved = emit_flush_on(e)
    step, count = e.load_integer(task, 1), e.load_integer(task, 2)

    def one(_: Value, carried: list[Value]) -> list[Value]:
        entry = e.builder.inttoptr(carried[0], POINTER)
        function = e.builder.load(entry, align=8, typ=ir.PointerType(callee))
        arguments = [e.load_integer(entry, 1 + k) for k in range(n_arguments)]
        e.builder.call(function, arguments)
        return [e.builder.add(carried[0], step)]

    e.loop(integer(0), count, 1, one, [e.load_integer(task, 0)])
    emit_flush_off(e, saved)
    e.builder.ret_void()
    return str(module)
