"""Rows of arrays into another order."""

from __future__ import annotations

from llvmlite import ir

from cellwise.backends.cpu.emitter import I8, I64, POINTER, Emitter, Value, integer, intrinsic
from cellwise.backends.cpu.registers import Form

_MOVE = (POINTER, POINTER, POINTER, I64, I64)
_NO = ir.Constant(ir.IntType(1), 0)


def emit_moves(module: ir.Module, form: Form) -> None:
    """Adds `take_rows`, `add_rows` and `clear_rows` to a module.

    `take_rows(out, rows, index, n_rows, n)`: out[r*n + j] = rows[index[r]*n + j], for r < n_rows
    and j < n. `add_rows(out, rows, index, n_rows, n)`: out[index[r]*n + j] += rows[r*n + j].
    `clear_rows(out, n)`: out[j] = 0.
    """
    _emit_take(form.emitter(module, "take_rows", _MOVE))
    _emit_add(form.emitter(module, "add_rows", _MOVE), form.lanes)
    _emit_clear(form.emitter(module, "clear_rows", (POINTER, I64)))


def _emit_take(e: Emitter) -> None:
    out, rows, index, n_rows, n = e.function.args
    b = e.builder
    row_bytes = b.mul(n, integer(e.item_bytes))
    kinds = [POINTER, POINTER, I64, ir.IntType(1)]
    copy = intrinsic(e.module, "llvm.memcpy.p0.p0.i64", kinds, ir.VoidType())

    def row(at: Value, _: list[Value]) -> list[Value]:
        source = e.at(rows, b.mul(e.load_integer(index, at), n))
        b.call(copy, [e.at(out, b.mul(at, n)), source, row_bytes, _NO])
        return []

    e.loop(integer(0), n_rows, 1, row)
    b.ret_void()


def _emit_add(e: Emitter, lanes: int) -> None:
    out, rows, index, n_rows, n = e.function.args
    b = e.builder
    whole = b.and_(n, integer(-lanes))

    def row(at: Value, _: list[Value]) -> list[Value]:
        to, source = e.at(out, b.mul(e.load_integer(index, at), n)), e.at(rows, b.mul(at, n))

        def add(width: int) -> None:
            def piece(j: Value, _: list[Value]) -> list[Value]:
                place = e.at(to, j)
                e.store(b.fadd(e.load(place, width), e.load(e.at(source, j), width)), place)
                return []

            first, last = (integer(0), whole) if width == lanes else (whole, n)
            e.loop(first, last, width, piece)

        add(lanes)
        if lanes > 1:
            add(1)
        return []

    e.loop(integer(0), n_rows, 1, row)
    b.ret_void()


def _emit_clear(e: Emitter) -> None:
    out, n = e.function.args
    b = e.builder
    kinds = [POINTER, I8, I64, ir.IntType(1)]
    fill = intrinsic(e.module, "llvm.memset.p0.i64", kinds, ir.VoidType())
    b.call(fill, [out, ir.Constant(I8, 0), b.mul(n, integer(e.item_bytes)), _NO])
    b.ret_void()
