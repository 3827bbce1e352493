"""Sums over rows of outer products: the gradients of weight matrices.

Blocks of rows of both factors are packed so that the microkernel of products takes them: a few
columns of the first factor turned into rows, the second factor cut into panels. `narrow` has what
is not worth that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from cellwise.backends.cpu.blocking import N_VECTORS, Blocking
from cellwise.backends.cpu.emitter import I32, I64, POINTER, Emitter, Value, integer, intrinsic
from cellwise.backends.cpu.narrow import SUM_OUTER, emit_sum_narrow
from cellwise.backends.cpu.packing import emit_transpose
from cellwise.backends.cpu.registers import Form
from cellwise.backends.cpu.sums import Gathered, minimum
from cellwise.backends.cpu.target import LINE_BYTES


@dataclass(frozen=True)
class _Places:
    """Addresses in `scratch`."""

    table: Value
    tile: Value
    turned: Value
    panels: Value


def emit_sum_outer(module: ir.Module, form: Form) -> None:
    """Adds `sum_outer` to a module that has the products.

    `sum_outer(a, lda, i0, i1, b, ldb, edge, ld_edge, index, n_rows, n_b, out, ldo, scratch)`:
    out[i*ldo + j] = sum over r < n_rows of a[r*lda + i] times number j of row r of the second
    factor, for i0 <= i < i1 and j < n_b.

    A few columns that would leave most of a panel empty are summed by `sum_narrow`.
    """
    cut = Blocking(form)
    wide, narrow = _emit_wide(module, cut), emit_sum_narrow(module, cut)
    e = form.emitter(module, "sum_outer", SUM_OUTER)
    *first, b_start, ldb, edge, ld_edge, index, n_rows, n_b, out, ldo, scratch = e.function.args
    b = e.builder
    rest = b.and_(n_b, integer(cut.width - 1))
    spares = b.icmp_signed("<=", rest, integer(cut.width // 2))
    alone = b.icmp_signed("<", n_b, integer(cut.width))
    few = b.select(b.or_(spares, alone), rest, integer(0))
    many = b.sub(n_b, few)

    def call(function: Value, start: Value, count: Value) -> None:
        second = e.at(b_start, start), ldb, e.at(edge, start), ld_edge, index
        with b.if_then(b.icmp_signed(">", count, integer(0))):
            b.call(function, [*first, *second, n_rows, count, e.at(out, start), ldo, scratch])

    call(wide, integer(0), many)
    call(narrow, many, few)
    b.ret_void()


def _emit_wide(module: ir.Module, cut: Blocking) -> Value:
    """The same for as many columns as fill panels, or nearly."""
    e = cut.form.emitter(module, "sum_wide", SUM_OUTER)
    a, a_stride, i0, i1, *second, n_rows, n_b, out, out_stride, scratch = e.function.args
    b = e.builder
    factor, places = Gathered.of(e, *second), _places(e, cut, scratch)

    def rows(first: Value, _: list[Value]) -> list[Value]:
        count = minimum(e, b.sub(n_rows, first), integer(cut.n_rows))
        accumulate = b.zext(b.icmp_signed(">", first, integer(0)), I32)
        _emit_panels(e, cut, factor, (first, count, n_b), places.panels)

        def columns(i: Value, _: list[Value]) -> list[Value]:
            n = minimum(e, b.sub(i1, i), integer(cut.columns))
            start = e.at(a, b.add(b.mul(first, a_stride), i))
            _emit_turned(e, cut, (start, a_stride), (count, n), places.turned)
            sink = e.at(out, b.mul(i, out_stride)), out_stride
            _emit_products(e, cut, places, (n, n_b, count, accumulate), sink)
            return []

        e.loop(i0, i1, cut.columns, columns)
        return []

    # Without any row, one block of no rows writes the zeros.
    at_least_one = b.select(b.icmp_signed(">", n_rows, integer(0)), n_rows, integer(1))
    e.loop(integer(0), at_least_one, cut.n_rows, rows)
    b.ret_void()
    return e.function


def _places(e: Emitter, cut: Blocking, scratch: Value) -> _Places:
    """Aligns the scratch to a line, and fills the table of turned rows."""
    b = e.builder
    aligned = b.and_(b.add(b.ptrtoint(scratch, I64), integer(LINE_BYTES - 1)), integer(-LINE_BYTES))
    start = b.inttoptr(aligned, POINTER)
    turned = e.at(start, cut.turned_start)

    def fill(i: Value, _: list[Value]) -> list[Value]:
        place = b.gep(start, [i], source_etype=POINTER)
        b.store(e.at(turned, b.mul(i, integer(cut.row_stride))), place, align=8)
        return []

    e.loop(integer(0), integer(cut.columns), 1, fill)
    return _Places(start, e.at(start, cut.tile_start), turned, e.at(start, cut.panels_start))


def _emit_panels(
    e: Emitter,
    cut: Blocking,
    factor: Gathered,
    sizes: tuple[Value, Value, Value],
    panels: Value,
) -> None:
    """Copies a block of rows of the second factor into panels, the last one filled with zeros."""
    first, count, n_b = sizes
    b, lanes = e.builder, cut.form.lanes
    whole = b.and_(n_b, integer(-cut.width))
    rest = b.sub(n_b, whole)

    def row(r: Value, _: list[Value]) -> list[Value]:
        source = factor.row(e, b.add(first, r))
        sink = e.at(panels, b.mul(r, integer(cut.width)))

        def panel(j: Value, carried: list[Value]) -> list[Value]:
            for v in range(N_VECTORS):
                vector = e.load(e.at(e.at(source, j), v * lanes), lanes)
                e.store(vector, e.at(carried[0], v * lanes))
            return [e.at(carried[0], cut.panel_stride)]

        (last,) = e.loop(integer(0), whole, cut.width, panel, [sink])
        with b.if_then(b.icmp_signed(">", rest, integer(0))):
            for v in range(N_VECTORS):
                e.store(e.splat(0.0, lanes), e.at(last, v * lanes))
            _copy(e, e.at(source, whole), last, rest)
        return []

    e.loop(integer(0), count, 1, row)


def _copy(e: Emitter, source: Value, sink: Value, count: Value) -> None:
    def item(j: Value, _: list[Value]) -> list[Value]:
        e.store(e.load(e.at(source, j), 1), e.at(sink, j))
        return []

    e.loop(integer(0), count, 1, item)


def _emit_turned(
    e: Emitter,
    cut: Blocking,
    source: tuple[Value, Value],
    sizes: tuple[Value, Value],
    turned: Value,
) -> None:
    """Turns a block of rows and columns of the first factor: turned[i*row_stride + r] = a[r, i]."""
    start, stride = source
    n_rows, n = sizes
    b, lanes = e.builder, cut.form.lanes
    whole_rows, whole = (b.and_(size, integer(-lanes)) for size in sizes)
    across = integer(cut.row_stride)

    def place(r: Value, i: Value) -> tuple[Value, Value]:
        sink = b.add(b.mul(i, across), r)
        return e.at(start, b.add(b.mul(r, stride), i)), e.at(turned, sink)

    def tile(r: Value, i: Value) -> None:
        here, there = place(r, i)
        emit_transpose(e, lanes, (here, stride), (there, across))

    def item(r: Value, i: Value) -> None:
        here, there = place(r, i)
        e.store(e.load(here, 1), there)

    none = integer(0)
    _grid(e, (none, whole_rows, lanes), (none, whole, lanes), tile)
    _grid(e, (none, whole_rows, 1), (whole, n, 1), item)
    _grid(e, (whole_rows, n_rows, 1), (none, n, 1), item)


_Range = tuple[Value, Value, int]


def _grid(e: Emitter, rows: _Range, columns: _Range, body: Callable[[Value, Value], None]) -> None:
    def outer(r: Value, _: list[Value]) -> list[Value]:
        def inner(i: Value, _: list[Value]) -> list[Value]:
            body(r, i)
            return []

        e.loop(*columns, inner)
        return []

    e.loop(*rows, outer)


def _emit_products(
    e: Emitter,
    cut: Blocking,
    places: _Places,
    sizes: tuple[Value, Value, Value, Value],
    sink: tuple[Value, Value],
) -> None:
    """All panels times all turned rows: a panel stays in the first cache for all rows."""
    n, n_b, count, accumulate = sizes
    out, out_stride = sink
    b = e.builder

    def panel(j: Value, carried: list[Value]) -> list[Value]:
        left = b.sub(n_b, j)
        done = integer(0)
        for m in cut.sizes:
            end = b.add(done, b.mul(b.sdiv(b.sub(n, done), integer(m)), integer(m)))

            def block(i: Value, _: list[Value], m: int = m) -> list[Value]:
                place = e.at(out, b.add(b.mul(i, out_stride), j)), out_stride
                rows = b.gep(places.table, [i], source_etype=POINTER)
                factors = rows, count, carried[0]
                _emit_tile(e, cut, m, factors, (place, left, accumulate, places.tile))
                return []

            e.loop(done, end, m, block)
            done = end
        return [e.at(carried[0], cut.panel_stride)]

    e.loop(integer(0), n_b, cut.width, panel, [places.panels])


_Sink = tuple[tuple[Value, Value], Value, Value, Value]


def _emit_tile(
    e: Emitter, cut: Blocking, m: int, factors: tuple[Value, Value, Value], sink: _Sink
) -> None:
    """One microkernel; where its columns hang over the last one, by way of the tile."""
    (out, out_stride), left, accumulate, tile = sink
    b, vector = e.builder, integer(cut.form.lanes)
    product = e.module.globals[f"product_{N_VECTORS}_{m}"]
    with b.if_else(b.icmp_signed(">=", left, integer(cut.width))) as (fits, hangs_over):
        with fits:
            _fetch(e, m, out, out_stride)
            b.call(product, [*factors, out, out_stride, vector, accumulate])
        with hangs_over:
            zero = ir.Constant(I32, 0)
            b.call(product, [*factors, tile, integer(cut.width), vector, zero])
            _add_tile(e, cut, m, sink)


def _fetch(e: Emitter, m: int, out: Value, out_stride: Value) -> None:
    """Asks for the lines of `out` that the microkernel adds to when it is through."""
    kind = [POINTER, I32, I32, I32]
    prefetch = intrinsic(e.module, "llvm.prefetch.p0", kind, ir.VoidType())
    hints = [ir.Constant(I32, n) for n in (0, 3, 1)]  # to read, to keep, data
    for i in range(m):
        e.builder.call(prefetch, [e.at(out, e.builder.mul(out_stride, integer(i))), *hints])


def _add_tile(e: Emitter, cut: Blocking, m: int, sink: _Sink) -> None:
    (out, out_stride), left, accumulate, tile = sink
    b = e.builder
    adds = b.icmp_signed("!=", accumulate, ir.Constant(I32, 0))

    def item(i: Value, j: Value) -> None:
        place = e.at(out, b.add(b.mul(i, out_stride), j))
        value = e.load(e.at(tile, b.add(b.mul(i, integer(cut.width)), j)), 1)
        sum_ = b.fadd(e.load(place, 1), value)
        e.store(b.select(adds, sum_, value), place)

    _grid(e, (integer(0), integer(m), 1), (integer(0), left, 1), item)
