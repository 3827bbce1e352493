"""The code that shares tasks out between threads, and that makes tables of tasks."""

from __future__ import annotations

from llvmlite import ir

from cellwise.backends.cpu.emitter import I32, I64, POINTER, Emitter, Value, integer, intrinsic
from cellwise.backends.cpu.target import Target

_TASK = ir.PointerType(ir.FunctionType(ir.VoidType(), [POINTER]))
_COUNT = ir.PointerType(ir.FunctionType(I32, []))
_BARRIER = ir.PointerType(ir.FunctionType(ir.VoidType(), []))
_THREAD_NUMBER, _N_THREADS, _WAIT, _N_ROUNDS, _ROUNDS = range(5)
"""What a job holds: three functions of OpenMP's, the number of rounds, and these one by one: a
function, the number of its tasks, the tasks."""


def emit_walk(target: Target) -> str:
    """The LLVM IR of `share(job, first, step)`, `team(job)` for a thread of OpenMP's, and `enter`.

    `share` takes its part of a job's first round. `enter(place, numbers, n_numbers, holes, n_holes,
    addresses)` copies numbers and enters addresses: see `parallel.enter`.
    """
    module = ir.Module("parallel")
    module.triple = target.triple
    share = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, I64, I64]), "share")
    e = Emitter(share, target, "f32")
    job, first, step = share.args
    _round(e, _behind(e, job, integer(_ROUNDS)), first, step)
    e.builder.ret_void()
    team = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER]), "team")
    e = Emitter(team, target, "f32")
    _emit_team(e, team.args[0])
    kinds = [POINTER, POINTER, I64, POINTER, I64, POINTER]
    enter = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "enter")
    _emit_enter(Emitter(enter, target, "f32"))
    return str(module)


def _emit_enter(e: Emitter) -> None:
    place, numbers, n_numbers, holes, n_holes, addresses = e.function.args
    b = e.builder
    kinds = [POINTER, POINTER, I64, ir.IntType(1)]
    copy = intrinsic(e.module, "llvm.memcpy.p0.p0.i64", kinds, ir.VoidType())
    n_bytes = b.mul(n_numbers, integer(8))
    b.call(copy, [place, numbers, n_bytes, ir.Constant(ir.IntType(1), 0)])

    def one(at: Value, _: list[Value]) -> list[Value]:
        hole = _behind(e, holes, b.mul(at, integer(3)))
        slot, which, offset = (_field(e, hole, n, I64) for n in range(3))
        address = b.load(_behind(e, addresses, which), align=8, typ=I64)
        b.store(b.add(address, offset), _behind(e, place, slot), align=8)
        return []

    e.loop(integer(0), n_holes, 1, one)
    b.ret_void()


def _emit_team(e: Emitter, job: Value) -> None:
    b = e.builder
    called = (_field(e, job, n, _COUNT) for n in (_THREAD_NUMBER, _N_THREADS))
    number, size = (b.zext(b.call(function, []), I64) for function in called)
    wait, count = _field(e, job, _WAIT, _BARRIER), _field(e, job, _N_ROUNDS, I64)

    def one(at: Value, carried: list[Value]) -> list[Value]:
        with b.if_then(b.icmp_signed(">", at, integer(0))):
            b.call(wait, [])
        return [_round(e, carried[0], number, size)]

    e.loop(integer(0), count, 1, one, [_behind(e, job, integer(_ROUNDS))])
    b.ret_void()


def _behind(e: Emitter, numbers: Value, count: Value) -> Value:
    """The address behind so many numbers."""
    return e.builder.gep(numbers, [count], source_etype=I64)


def _field(e: Emitter, job: Value, number: int, kind: ir.Type) -> Value:
    place = e.builder.gep(job, [integer(number)], source_etype=I64)
    return e.builder.load(place, align=8, typ=kind)


def _round(e: Emitter, place: Value, first: Value, step: Value) -> Value:
    """for i in range(first, count, step): function(tasks[i]). Returns where the round ends."""
    b = e.builder
    function, count = _field(e, place, 0, _TASK), _field(e, place, 1, I64)
    tasks = _behind(e, place, integer(2))

    def body(_: Value, carried: list[Value]) -> list[Value]:
        b.call(function, [e.load_pointer(tasks, carried[0])])
        return [b.add(carried[0], step)]

    left = b.add(b.sub(count, first), b.sub(step, integer(1)))
    e.loop(integer(0), b.sdiv(left, step), 1, body, [first])
    return _behind(e, tasks, count)
