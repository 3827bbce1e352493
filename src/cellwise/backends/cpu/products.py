"""The microkernels of all products: a few rows times a panel of packed weights.

A panel holds `n_vectors` vectors of every k side by side: lane l of vector v of k is number
(k*n_vectors + v)*lanes + l.
A sum runs over k in order and in one register, whatever the number of rows beside it, so the bits
of a row never depend on its batch-mates.

A product `ahead` asks meanwhile for memory that will be read soon, such as the next panel: a line
for every k. Weights that the second-level cache cannot hold come from the third one in every step,
at 11 bytes a cycle on Ice Lake, where six rows take 21: so the waiting is done while other rows are
multiplied with what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llvmlite import ir

from cellwise.backends.cpu.emitter import I32, I64, POINTER, Emitter, Value, integer
from cellwise.backends.cpu.registers import N_VECTORS, Form, block_sizes, steps_at_once, streams
from cellwise.backends.cpu.target import BYTES, LINE_BYTES


def emit_products(module: ir.Module, form: Form, widths: Iterable[int] = N_VECTORS) -> None:
    """Adds every product and every stream of panels of these widths to a module."""
    for n_vectors in widths:
        for n_rows in block_sizes(form.target, n_vectors):
            _emit_product(module, form, _Block(1, n_rows, n_vectors))
        for n_rows in (1, 2):
            if streams(form.target, n_vectors, n_rows) > 1:
                _emit_stream(module, form, n_vectors, n_rows)


def emit_products_ahead(module: ir.Module, form: Form, n_vectors: int) -> None:
    """Adds the products of panels of one width that fetch what comes next to a module."""
    for n_rows in block_sizes(form.target, n_vectors):
        _emit_product(module, form, _Block(1, n_rows, n_vectors), ahead=True)


@dataclass(frozen=True)
class _Block:
    """Registers of a microkernel: [panel][row][vector]."""

    n_panels: int
    n_rows: int
    n_vectors: int

    def places(self) -> Iterable[tuple[int, int, int]]:
        for s in range(self.n_panels):
            for i in range(self.n_rows):
                for v in range(self.n_vectors):
                    yield s, i, v

    def number(self, s: int, i: int, v: int) -> int:
        return (s * self.n_rows + i) * self.n_vectors + v


PRODUCT = (POINTER, I64, POINTER, POINTER, I64, I64, I32)
"""The arguments of a product: rows, count, panel, out, its strides, whether to add to it."""

AHEAD = (*PRODUCT, POINTER)
"""Those of a product that fetches, and what."""

STREAM = (POINTER, I64, POINTER, POINTER, I64, I64, I64, I64, I32)
"""Those of a stream: as of a product, with the strides of panels and of their results."""


def _emit_product(module: ir.Module, form: Form, block: _Block, *, ahead: bool = False) -> None:
    kind = "ahead" if ahead else "product"
    name = f"{kind}_{block.n_vectors}_{block.n_rows}"
    e = form.emitter(module, name, AHEAD if ahead else PRODUCT)
    rows, count, panel, out, row_stride, vector_stride, accumulate, *more = e.function.args
    sums = _sums(e, form, block, (rows, count, [panel], *more))
    _write(e, block, sums, (accumulate, [out], row_stride, vector_stride))


def _emit_stream(module: ir.Module, form: Form, n_vectors: int, n_rows: int) -> None:
    e = form.emitter(module, f"stream_{n_vectors}_{n_rows}", STREAM)
    rows, count, panel, out, row_stride, vector_stride, panel_step, out_step, add = e.function.args
    n_panels = streams(form.target, n_vectors, n_rows)
    block = _Block(n_panels, n_rows, n_vectors)
    panels = _spaced(e, panel, panel_step, n_panels)
    sums = _sums(e, form, block, (rows, count, panels))
    _write(e, block, sums, (add, _spaced(e, out, out_step, n_panels), row_stride, vector_stride))


def _spaced(e: Emitter, start: Value, step: Value, n: int) -> list[Value]:
    return [e.at(start, e.builder.mul(step, integer(s))) if s else start for s in range(n)]


def _sums(
    e: Emitter,
    form: Form,
    block: _Block,
    operands: tuple[Value, Value, Sequence[Value], *tuple[Value, ...]],
) -> list[Value]:
    """The loop over k; the sums in the order of `places`."""
    table, count, panels, *ahead = operands
    line = LINE_BYTES // BYTES[form.precision]
    rows = [e.load_pointer(table, i) for i in range(block.n_rows)]
    zeros = [e.splat(0.0, form.lanes)] * len(list(block.places()))

    def step(k: Value, sums: list[Value]) -> list[Value]:
        first = e.builder.mul(k, integer(block.n_vectors * form.lanes))
        places = [e.at(panel, first) for panel in panels]
        renewed = list(sums)
        for start in ahead:
            e.fetch(e.at(start, e.builder.mul(k, integer(line))), 2)
        multiply = _by_rows if block.n_vectors <= block.n_rows else _by_vectors
        multiply(e, block, (form.lanes, k, rows, places), renewed)
        return renewed

    def steps(k: Value, sums: list[Value]) -> list[Value]:
        for more in range(unrolled):
            sums = step(e.builder.add(k, integer(more)), sums)
        return sums

    unrolled = steps_at_once(form.target)
    whole = e.builder.and_(count, integer(-unrolled))
    sums = e.loop(integer(0), whole, unrolled, steps, zeros, tight=True)
    return e.loop(whole, count, 1, step, sums) if unrolled > 1 else sums


_Operands = tuple[int, Value, Sequence[Value], Sequence[Value]]


def _by_rows(e: Emitter, block: _Block, operands: _Operands, sums: list[Value]) -> None:
    """Holds the weights of a k in registers, and takes one row after the other."""
    lanes, k, rows, panels = operands
    for s, panel in enumerate(panels):
        weights = [e.load(e.at(panel, v * lanes), lanes) for v in range(block.n_vectors)]
        for i, row in enumerate(rows):
            value = e.load_spread(e.at(row, k), lanes)
            for v, weight in enumerate(weights):
                n = block.number(s, i, v)
                sums[n] = e.fma(value, weight, sums[n])


def _by_vectors(e: Emitter, block: _Block, operands: _Operands, sums: list[Value]) -> None:
    """Holds the rows' numbers of a k in registers, and takes one vector of weights at a time."""
    lanes, k, rows, panels = operands
    values = [e.load_spread(e.at(row, k), lanes) for row in rows]
    for s, panel in enumerate(panels):
        for v in range(block.n_vectors):
            weight = e.load(e.at(panel, v * lanes), lanes)
            for i, value in enumerate(values):
                n = block.number(s, i, v)
                sums[n] = e.fma(value, weight, sums[n])


def _write(
    e: Emitter,
    block: _Block,
    sums: Sequence[Value],
    result: tuple[Value, Sequence[Value], Value, Value],
) -> None:
    """Stores the sums, or adds them to what is there, and returns."""
    accumulate, outs, row_stride, vector_stride = result
    b = e.builder
    places = []
    for out in outs:
        for row in _spaced(e, out, row_stride, block.n_rows):
            places += _spaced(e, row, vector_stride, block.n_vectors)
    with b.if_else(b.icmp_signed("!=", accumulate, ir.Constant(accumulate.type, 0))) as (add, put):
        with add:
            for place, value in zip(places, sums, strict=True):
                e.store(b.fadd(e.load(place, value.type.count), value), place)
        with put:
            for place, value in zip(places, sums, strict=True):
                e.store(value, place)
    b.ret_void()
