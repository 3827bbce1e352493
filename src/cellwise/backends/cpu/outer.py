"""Sums over rows of outer products: the gradients of weight matrices.

Blocks of rows of both factors are packed so that the microkernel of products takes them: a few
columns of the first factor turned into rows, second factors cut into panels. Sums with the same
first factor are made together, so that it is read and turned once. `narrow` has what is not worth
that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from llvmlite import ir

from cellwise.backends.cpu.blocking import Blocking
from cellwise.backends.cpu.emitter import I32, I64, POINTER, Emitter, Value, integer
from cellwise.backends.cpu.narrow import emit_sum_narrow
from cellwise.backends.cpu.packing import emit_transpose
from cellwise.backends.cpu.products import PRODUCT
from cellwise.backends.cpu.registers import Form
from cellwise.backends.cpu.sums import Gathered, minimum
from cellwise.backends.cpu.target import LINE_BYTES

SECOND_ITEMS = 8
"""Numbers that describe a second factor: b, ldb, edge, ld_edge, index, n_b, out, ldo."""

_SUM_WIDE = (POINTER, I64, I64, I64, POINTER, I64, I64, POINTER, POINTER)
_PRODUCT = ir.FunctionType(ir.VoidType(), PRODUCT)


@dataclass(frozen=True)
class _Places:
    """Addresses in `scratch`."""

    table: Value
    tile: Value
    turned: Value
    panels: Value
    products: Value


@dataclass(frozen=True)
class _Second:
    """A second factor, and where the sums with it go."""

    factor: Gathered
    n_b: Value
    out: Value
    out_stride: Value


@dataclass(frozen=True)
class _Seconds:
    """The table of second factors, SECOND_ITEMS numbers each."""

    table: Value
    count: Value

    def each(self, e: Emitter, panels: Value, body: Callable[[_Second, Value], Value]) -> None:
        """For every one, where its panels begin; `body` returns where they end."""

        def one(number: Value, carried: list[Value]) -> list[Value]:
            first = e.builder.mul(number, integer(SECOND_ITEMS))
            return [body(self._at(e, first), carried[0])]

        e.loop(integer(0), self.count, 1, one, [panels])

    def _at(self, e: Emitter, first: Value) -> _Second:
        def number(k: int) -> Value:
            return e.load_integer(self.table, e.builder.add(first, integer(k)))

        def pointer(k: int) -> Value:
            return e.load_pointer(self.table, e.builder.add(first, integer(k)))

        given = pointer(0), number(1), pointer(2), number(3), pointer(4)
        factor = Gathered.with_spare(e, self.table, given)
        return _Second(factor, number(5), pointer(6), number(7))


def emit_sums_outer(module: ir.Module, form: Form) -> None:
    """Adds `sum_wide` and `sum_narrow` to a module.

    `sum_wide(a, lda, i0, i1, seconds, n_seconds, n_rows, scratch, products)`, with for every second
    factor SECOND_ITEMS numbers in a table:
    out[i*ldo + j] = sum over r < n_rows of a[r*lda + i] times number j of row r of the factor,
    for i0 <= i < i1 and j < n_b. `products` are the addresses of the microkernels, for one to
    `n_vectors` vectors those of one to `most_rows` rows: the last panel is as wide as it must be.
    """
    _emit_wide(module, Blocking(form))
    emit_sum_narrow(module, Blocking(form))


def _emit_wide(module: ir.Module, cut: Blocking) -> None:
    e = cut.form.emitter(module, "sum_wide", _SUM_WIDE)
    a, a_stride, i0, i1, table, n_seconds, n_rows, scratch, products = e.function.args
    b, seconds = e.builder, _Seconds(table, n_seconds)
    places = _places(e, cut, scratch, products)

    def rows(first: Value, _: list[Value]) -> list[Value]:
        count = minimum(e, b.sub(n_rows, first), integer(cut.n_rows))
        accumulate = b.zext(b.icmp_signed(">", first, integer(0)), I32)

        def pack(second: _Second, panels: Value) -> Value:
            return _emit_panels(e, cut, second, (first, count), panels)

        seconds.each(e, places.panels, pack)

        def columns(i: Value, _: list[Value]) -> list[Value]:
            n = minimum(e, b.sub(i1, i), integer(cut.columns))
            start = e.at(a, b.add(b.mul(first, a_stride), i))
            _emit_turned(e, cut, (start, a_stride), (count, n), places.turned)

            def multiply(second: _Second, panels: Value) -> Value:
                sink = e.at(second.out, b.mul(i, second.out_stride)), second.out_stride
                sizes = n, second.n_b, count, accumulate
                return _emit_products(e, cut, places, panels, sizes, sink)

            seconds.each(e, places.panels, multiply)
            return []

        e.loop(i0, i1, cut.columns, columns)
        return []

    # Without any row, one block of no rows writes the zeros.
    at_least_one = b.select(b.icmp_signed(">", n_rows, integer(0)), n_rows, integer(1))
    e.loop(integer(0), at_least_one, cut.n_rows, rows)
    b.ret_void()


def _places(e: Emitter, cut: Blocking, scratch: Value, products: Value) -> _Places:
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
    tile, panels = e.at(start, cut.tile_start), e.at(start, cut.panels_start)
    return _Places(start, tile, turned, panels, products)


def _emit_panels(
    e: Emitter,
    cut: Blocking,
    second: _Second,
    rows: tuple[Value, Value],
    panels: Value,
) -> Value:
    """Copies a block of rows into panels, the last vector filled with zeros; where they end."""
    (first, count), n_b = rows, second.n_b
    b, lanes = e.builder, cut.form.lanes
    whole = b.and_(n_b, integer(-cut.width))
    rest, vectors = b.sub(n_b, whole), b.and_(n_b, integer(-lanes))
    last_width = b.and_(b.add(rest, integer(lanes - 1)), integer(-lanes))
    last_panel = e.at(panels, b.mul(b.sdiv(whole, integer(cut.width)), integer(cut.panel_stride)))

    def row(r: Value, _: list[Value]) -> list[Value]:
        source = second.factor.row(e, b.add(first, r))
        sink = e.at(panels, b.mul(r, integer(cut.width)))

        def panel(j: Value, carried: list[Value]) -> list[Value]:
            for v in range(cut.n_vectors):
                vector = e.load(e.at(e.at(source, j), v * lanes), lanes)
                e.store(vector, e.at(carried[0], v * lanes))
            return [e.at(carried[0], cut.panel_stride)]

        e.loop(integer(0), whole, cut.width, panel, [sink])
        last = e.at(last_panel, b.mul(r, last_width))

        def vector(j: Value, carried: list[Value]) -> list[Value]:
            e.store(e.load(e.at(source, j), lanes), carried[0])
            return [e.at(carried[0], lanes)]

        (end,) = e.loop(whole, vectors, lanes, vector, [last])
        left = b.sub(n_b, vectors)
        with b.if_then(b.icmp_signed(">", left, integer(0))):
            e.store(e.splat(0.0, lanes), end)
            _copy(e, e.at(source, vectors), end, left)
        return []

    e.loop(integer(0), count, 1, row)
    filled = b.sdiv(b.add(n_b, integer(cut.width - 1)), integer(cut.width))
    return e.at(panels, b.mul(filled, integer(cut.panel_stride)))


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
    panels: Value,
    sizes: tuple[Value, Value, Value, Value],
    sink: tuple[Value, Value],
) -> Value:
    """All panels of a factor times all turned rows, panel by panel; where the panels end."""
    n, n_b, count, accumulate = sizes
    out, out_stride = sink
    b, most = e.builder, cut.most_rows

    def panel(j: Value, carried: list[Value]) -> list[Value]:
        left = b.sub(n_b, j)

        def block(i: Value, _: list[Value]) -> list[Value]:
            place = e.at(out, b.add(b.mul(i, out_stride), j)), out_stride
            rows = b.gep(places.table, [i], source_etype=POINTER)
            m = minimum(e, b.sub(n, i), integer(most))
            _emit_tile(e, cut, m, (rows, count, carried[0]), (place, left, accumulate, places))
            return []

        e.loop(integer(0), n, most, block)
        return [e.at(carried[0], cut.panel_stride)]

    (end,) = e.loop(integer(0), n_b, cut.width, panel, [panels])
    return end


_Sink = tuple[tuple[Value, Value], Value, Value, _Places]


def _emit_tile(
    e: Emitter, cut: Blocking, m: Value, factors: tuple[Value, Value, Value], sink: _Sink
) -> None:
    """One microkernel of m rows; where its columns hang over the last one, by way of the tile."""
    (out, out_stride), left, accumulate, places = sink
    b, lanes = e.builder, cut.form.lanes
    needed = b.udiv(b.add(left, integer(lanes - 1)), integer(lanes))
    n_vectors = minimum(e, needed, integer(cut.n_vectors))
    fits = b.icmp_signed(">=", left, b.mul(n_vectors, integer(lanes)))
    tile_stride = integer(cut.width)
    place, stride = b.select(fits, out, places.tile), b.select(fits, out_stride, tile_stride)
    adds = b.select(fits, accumulate, ir.Constant(I32, 0))
    _fetch(e, cut, m, (place, stride))
    number = b.add(b.mul(n_vectors, integer(cut.most_rows)), b.sub(m, integer(cut.most_rows + 1)))
    product = b.gep(places.products, [number], source_etype=I64)
    function = b.load(product, align=8, typ=ir.PointerType(_PRODUCT))
    b.call(function, [*factors, place, stride, integer(lanes), adds])
    with b.if_then(b.not_(fits)):
        _add_tile(e, cut, m, sink)


def _fetch(e: Emitter, cut: Blocking, m: Value, place: tuple[Value, Value]) -> None:
    """Asks for the lines that a microkernel adds to when it is through."""
    start, stride = place

    def row(i: Value, _: list[Value]) -> list[Value]:
        first = e.at(start, e.builder.mul(stride, i))
        for item in range(0, cut.width, cut.line):
            e.fetch(e.at(first, item), 2)
        return []

    e.loop(integer(0), m, 1, row)


def _add_tile(e: Emitter, cut: Blocking, m: Value, sink: _Sink) -> None:
    (out, out_stride), left, accumulate, places = sink
    b = e.builder
    adds = b.icmp_signed("!=", accumulate, ir.Constant(I32, 0))

    def item(i: Value, j: Value, n: int) -> None:
        place = e.at(out, b.add(b.mul(i, out_stride), j))
        value = e.load(e.at(places.tile, b.add(b.mul(i, integer(cut.width)), j)), n)
        sum_ = b.fadd(e.load(place, n), value)
        e.store(b.select(adds, sum_, value), place)

    start = integer(0)
    for n in dict.fromkeys((cut.form.lanes, min(cut.form.lanes, 4), 1)):
        stop = b.and_(left, integer(-n))
        _grid(e, (integer(0), m, 1), (start, stop, n), partial(item, n=n))
        start = stop
