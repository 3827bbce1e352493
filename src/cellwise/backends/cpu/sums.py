"""Sums over rows: the gradients of weights and biases, taken after the loop over time.

The rows of the second factor may be gathered: number r is row index[r] of `b`, or, where that is
negative, row -1 - index[r] of `edge`; without an index it is row r of `b`.
All sums go over blocks of rows, so that rounding errors do not grow with the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llvmlite import ir

from cellwise.backends.cpu.emitter import I64, POINTER, Emitter, Value, integer
from cellwise.backends.cpu.registers import Form

N_ROWS = 128
"""Rows in a block of the sums that are not products."""

_SUM = (POINTER, I64, I64, I64, POINTER)
_SUM_PRODUCT = (POINTER, I64, POINTER, I64, POINTER, I64, POINTER, I64, I64, POINTER)
_WIDE = 8  # vectors side by side, so that no addition waits for the one before


@dataclass(frozen=True)
class Gathered:
    """The second factor: two matrices and an index, as the module's docstring says."""

    b: Value
    b_stride: Value
    edge: Value
    edge_stride: Value
    index: Value
    absent: Value
    n_step: Value

    @staticmethod
    def of(e: Emitter, b: Value, b_stride: Value, *rest: Value) -> Gathered:
        """Of the arguments `b, ldb, edge, ld_edge, index`; the index may be null."""
        slot = e.builder.alloca(I64)
        e.builder.store(integer(0), slot)
        return Gathered.with_spare(e, slot, (b, b_stride, *rest))

    @staticmethod
    def with_spare(e: Emitter, spare: Value, second: Sequence[Value]) -> Gathered:
        """The same; where there is no index, the number at `spare` is read, and not used."""
        b, b_stride, edge, edge_stride, index = second
        build = e.builder
        absent = build.icmp_unsigned("==", index, ir.Constant(POINTER, None))
        known = build.select(absent, spare, index)
        step = build.select(absent, integer(0), integer(1))
        return Gathered(b, b_stride, edge, edge_stride, known, absent, step)

    def row(self, e: Emitter, r: Value) -> Value:
        """The address of a row."""
        build = e.builder
        found = e.load_integer(self.index, build.mul(r, self.n_step))
        n = build.select(self.absent, r, found)
        inside = build.icmp_signed(">=", n, integer(0))
        start = build.select(inside, self.b, self.edge)
        stride = build.select(inside, self.b_stride, self.edge_stride)
        return e.at(start, build.mul(build.select(inside, n, build.not_(n)), stride))


def emit_sums(module: ir.Module, form: Form) -> None:
    """Adds `sum_rows` and `sum_rows_product` to a module.

    `sum_rows(a, lda, n_rows, n, out)`: out[j] = sum over r of a[r*lda + j], for j < n.
    `sum_rows_product(a, lda, b, ldb, edge, ld_edge, index, n_rows, n, out)`: the same of
    a[r*lda + j] times number j of row r of the second factor.
    """
    e = form.emitter(module, "sum_rows", _SUM)
    a, a_stride, n_rows, n, out = e.function.args

    def item(r: Value, j: Value, lanes: int) -> Callable[[int, Value], Value]:
        row = e.at(a, e.builder.add(e.builder.mul(r, a_stride), j))
        return lambda v, total: e.builder.fadd(total, e.load(e.at(row, v * lanes), lanes))

    _emit_sum(e, form, (n_rows, n, out), item)
    e = form.emitter(module, "sum_rows_product", _SUM_PRODUCT)
    _emit_sum_product(e, form)


def _emit_sum_product(e: Emitter, form: Form) -> None:
    a, a_stride, *second, n_rows, n, out = e.function.args
    factor = Gathered.of(e, *second)

    def item(r: Value, j: Value, lanes: int) -> Callable[[int, Value], Value]:
        row = e.at(a, e.builder.add(e.builder.mul(r, a_stride), j))
        other = e.at(factor.row(e, r), j)

        def plus(v: int, total: Value) -> Value:
            left, right = (e.load(e.at(p, v * lanes), lanes) for p in (row, other))
            return e.fma(left, right, total)

        return plus

    _emit_sum(e, form, (n_rows, n, out), item)


_Item = Callable[[Value, Value, int], Callable[[int, Value], Value]]
"""For row r and columns from j on, in vectors of some lanes: what adds vector v to a total."""


def _emit_sum(e: Emitter, form: Form, sizes: tuple[Value, Value, Value], item: _Item) -> None:
    n_rows, n, out = sizes
    b = e.builder

    def clear(j: Value, _: list[Value]) -> list[Value]:
        e.store(e.splat(0.0, 1), e.at(out, j))
        return []

    e.loop(integer(0), n, 1, clear)

    def block(first: Value, _: list[Value]) -> list[Value]:
        last = minimum(e, b.add(first, integer(N_ROWS)), n_rows)
        done = integer(0)
        for vectors, lanes in ((_WIDE, form.lanes), (1, form.lanes), (1, 1)):
            width = vectors * lanes
            end = b.and_(n, integer(-width))
            _emit_columns(e, (first, last), (done, end, out), (vectors, lanes), item)
            done = end
        return []

    e.loop(integer(0), n_rows, N_ROWS, block)
    b.ret_void()


def _emit_columns(
    e: Emitter,
    rows: tuple[Value, Value],
    columns: tuple[Value, Value, Value],
    shape: tuple[int, int],
    item: _Item,
) -> None:
    """Adds the sums over a block of rows to a range of columns of `out`."""
    done, end, out = columns
    vectors, lanes = shape

    def column(j: Value, _: list[Value]) -> list[Value]:
        def row(r: Value, totals: list[Value]) -> list[Value]:
            plus = item(r, j, lanes)
            return [plus(v, total) for v, total in enumerate(totals)]

        zeros = [e.splat(0.0, lanes)] * vectors
        for v, total in enumerate(e.loop(*rows, 1, row, zeros, tight=True)):
            place = e.at(e.at(out, j), v * lanes)
            e.store(e.builder.fadd(e.load(place, lanes), total), place)
        return []

    e.loop(done, end, vectors * lanes, column)


def minimum(e: Emitter, left: Value, right: Value) -> Value:
    """The smaller of two whole numbers."""
    return e.builder.select(e.builder.icmp_signed("<", left, right), left, right)
