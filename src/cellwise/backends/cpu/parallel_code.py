"""The code that shares tasks out between threads."""

from __future__ import annotations

from llvmlite import ir

from cellwise.backends.cpu.emitter import I32, I64, POINTER, Emitter, Value, integer
from cellwise.backends.cpu.target import Target

_TASK = ir.PointerType(ir.FunctionType(ir.VoidType(), [POINTER]))
_COUNT = ir.PointerType(ir.FunctionType(I32, []))


def emit_walk(target: Target) -> str:
    """The LLVM IR of `share(job, first, step)`, and of `team(job)` for a thread of OpenMP's."""
    module = ir.Module("parallel")
    module.triple = target.triple
    share = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, I64, I64]), "share")
    e = Emitter(share, target, "f32")
    job, first, step = share.args
    function, count = _field(e, job, 0, _TASK), _field(e, job, 1, I64)
    tasks = e.builder.gep(job, [integer(4)], source_etype=I64)
    _walk(e, first, (step, count), (function, tasks))
    team = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER]), "team")
    e = Emitter(team, target, "f32")
    job = team.args[0]
    number, size = (e.builder.call(_field(e, job, n, _COUNT), []) for n in (2, 3))
    e.builder.call(share, [job, e.builder.zext(number, I64), e.builder.zext(size, I64)])
    e.builder.ret_void()
    return str(module)


def _field(e: Emitter, job: Value, number: int, kind: ir.Type) -> Value:
    place = e.builder.gep(job, [integer(number)], source_etype=I64)
    return e.builder.load(place, align=8, typ=kind)


def _walk(e: Emitter, first: Value, steps: tuple[Value, Value], call: tuple[Value, Value]) -> None:
    """for i in range(first, count, step): function(tasks[i])."""
    step, count = steps
    function, tasks = call
    b = e.builder

    def body(_: Value, carried: list[Value]) -> list[Value]:
        b.call(function, [e.load_pointer(tasks, carried[0])])
        return [b.add(carried[0], step)]

    left = b.add(b.sub(count, first), b.sub(step, integer(1)))
    e.loop(integer(0), b.sdiv(left, step), 1, body, [first])
    b.ret_void()
