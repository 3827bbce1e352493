"""Weights into panels: blocks of units side by side, one vector a block and k."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from cellwise.backends.cpu.emitter import I32, I64, POINTER, Emitter, Value, integer
from cellwise.backends.cpu.registers import Form

_PACK = (POINTER, I64, I64, I64, I64, POINTER, POINTER, POINTER, I64)


def emit_pack(module: ir.Module, form: Form) -> None:
    """Adds `pack` to a module: by transposes or copies where items lie side by side, else singly.

    `pack(source, unit_stride, k_stride, count, n_blocks, units, places, out, out_stride)`:
    out[places[b] + k*out_stride + lane] = source[(units[b] + lane)*unit_stride + k*k_stride],
    for b < n_blocks, k < count, lane < lanes.
    """
    e = form.emitter(module, "pack", _PACK)
    source, unit_stride, k_stride, count, n_blocks, starts, outs, out, out_stride = e.function.args
    b = e.builder

    def block(index: Value, _: list[Value]) -> list[Value]:
        place = e.at(source, b.mul(e.load_integer(starts, index), unit_stride))
        target = e.at(out, e.load_integer(outs, index))
        _emit_block(e, form.lanes, (place, unit_stride, k_stride, count), (target, out_stride))
        return []

    e.loop(integer(0), n_blocks, 1, block)
    b.ret_void()


_Source = tuple[Value, Value, Value, Value]
_Sink = tuple[Value, Value]


def _emit_block(e: Emitter, lanes: int, source: _Source, sink: _Sink) -> None:
    place, unit_stride, k_stride, count = source
    out, out_stride = sink
    b = e.builder
    whole = b.and_(count, integer(-lanes))
    with b.if_else(b.icmp_signed("==", k_stride, integer(1))) as (rows, other):
        with rows:

            def tile(k: Value, _: list[Value]) -> list[Value]:
                here = e.at(out, b.mul(k, out_stride))
                emit_transpose(e, lanes, (e.at(place, k), unit_stride), (here, out_stride))
                return []

            e.loop(integer(0), whole, lanes, tile)
            _emit_single(e, lanes, source, sink, whole)
        with other:
            _emit_across(e, lanes, source, sink)


def _emit_across(e: Emitter, lanes: int, source: _Source, sink: _Sink) -> None:
    """The numbers of a unit do not lie side by side."""
    side_by_side = e.builder.icmp_signed("==", source[1], integer(1))
    with e.builder.if_else(side_by_side) as (copied, singly):
        with copied:
            _emit_copy(e, lanes, source, sink)
        with singly:
            _emit_single(e, lanes, source, sink, integer(0))


def _emit_copy(e: Emitter, lanes: int, source: _Source, sink: _Sink) -> None:
    """Units side by side: a vector a k."""
    place, _, k_stride, count = source
    out, out_stride = sink

    def copy(k: Value, _: list[Value]) -> list[Value]:
        vector = e.load(e.at(place, e.builder.mul(k, k_stride)), lanes)
        e.store(vector, e.at(out, e.builder.mul(k, out_stride)))
        return []

    e.loop(integer(0), count, 1, copy)


def _emit_single(e: Emitter, lanes: int, source: _Source, sink: _Sink, start: Value) -> None:
    """Any strides, and what is left of a row's end: item by item."""
    place, unit_stride, k_stride, count = source
    out, out_stride = sink
    b = e.builder

    def step(k: Value, _: list[Value]) -> list[Value]:
        first = e.at(place, b.mul(k, k_stride))
        here = e.at(out, b.mul(k, out_stride))
        for lane in range(lanes):
            item = e.at(first, b.mul(unit_stride, integer(lane)))
            e.store(e.load(item, 1), e.at(here, lane))
        return []

    e.loop(start, count, 1, step)


def emit_transpose(
    e: Emitter, lanes: int, source: tuple[Value, Value], sink: tuple[Value, Value]
) -> None:
    """Row i of a square at `source` becomes column i at `sink`, each a start and a stride."""
    start, stride = source
    rows = [e.load(e.at(start, e.builder.mul(stride, integer(i))), lanes) for i in range(lanes)]
    out, out_stride = sink
    for i, column in enumerate(transposed(e, rows)):
        e.store(column, e.at(out, e.builder.mul(out_stride, integer(i))))


def transposed(e: Emitter, rows: Sequence[Value]) -> list[Value]:
    """The columns of a square of vectors: swaps ever smaller off-diagonal squares.

    The two smallest sizes of four-byte numbers go together as interleavings inside 16 bytes, which
    are single instructions where a swap is not.
    """
    values, lanes = list(rows), len(rows)
    size = lanes // 2
    while size >= 1:
        if size == 2 and e.precision == "f32":
            return _squares_of_four(e, values)
        values = _swap(e, values, size)
        size //= 2
    return values


def _swap(e: Emitter, rows: Sequence[Value], size: int) -> list[Value]:
    lanes = len(rows)
    low = [n if not n & size else lanes + n - size for n in range(lanes)]
    high = [n + size if not n & size else lanes + n for n in range(lanes)]
    values = list(rows)
    for i in (i for i in range(lanes) if not i & size):
        pair = rows[i], rows[i + size]
        values[i], values[i + size] = _shuffle(e, pair, low), _shuffle(e, pair, high)
    return values


def _squares_of_four(e: Emitter, rows: Sequence[Value]) -> list[Value]:
    lanes = len(rows)
    starts = range(0, lanes, 4)
    low = [n for s in starts for n in (s, lanes + s, s + 1, lanes + s + 1)]
    high = [n + 2 for n in low]
    first = [n for s in starts for n in (s, s + 1, lanes + s, lanes + s + 1)]
    last = [n + 2 for n in first]
    values: list[Value] = []
    for s in starts:
        ab, cd = (rows[s], rows[s + 1]), (rows[s + 2], rows[s + 3])
        for order in (low, high):
            halves = _shuffle(e, ab, order), _shuffle(e, cd, order)
            values += [_shuffle(e, halves, first), _shuffle(e, halves, last)]
    return values


def _shuffle(e: Emitter, pair: tuple[Value, Value], order: Sequence[int]) -> Value:
    mask = ir.Constant(ir.VectorType(I32, len(order)), list(order))
    return e.builder.shuffle_vector(*pair, mask)
