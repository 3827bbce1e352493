"""Sums of outer products with a second factor of few columns: narrower than a panel.

Nothing is packed. Vectors along the rows of the first factor are multiplied with single numbers of
the second one, so a column more costs what it adds, not a panel.
"""

from __future__ import annotations

from collections.abc import Iterator

from llvmlite import ir

from cellwise.backends.cpu.blocking import Blocking
from cellwise.backends.cpu.emitter import I64, POINTER, Emitter, Value, integer
from cellwise.backends.cpu.sums import Gathered, minimum

_SECOND = (POINTER, I64, POINTER, I64, POINTER)
_SUM_NARROW = (POINTER, I64, I64, I64, *_SECOND, I64, I64, POINTER, I64, POINTER)

_VECTORS = (4, 3, 2, 1)
"""Vectors of the first factor that are taken together, the most first."""


def _most_columns(e: Emitter) -> int:
    """Columns of the second factor that are taken together: as many sums as there are registers."""
    return 4 if e.target.n_registers >= 32 else 2


def emit_sum_narrow(module: ir.Module, cut: Blocking) -> None:
    """Adds `sum_narrow` to a module.

    `sum_narrow(a, lda, i0, i1, b, ldb, edge, ld_edge, index, n_rows, n_b, out, ldo, scratch)`:
    out[i*ldo + j] = sum over r < n_rows of a[r*lda + i] times number j of row r of the second
    factor, for i0 <= i < i1 and j < n_b.
    """
    e = cut.form.emitter(module, "sum_narrow", _SUM_NARROW)
    a, a_stride, i0, i1, *second, n_rows, n_b, out, out_stride, scratch = e.function.args
    b, factor = e.builder, Gathered.of(e, *second)
    most = cut.columns * cut.row_stride // cut.width  # columns whose sums the scratch can hold

    def columns(start: Value, _: list[Value]) -> list[Value]:
        n_a, here = minimum(e, b.sub(i1, start), integer(most)), e.at(a, start)
        e.loop(integer(0), b.mul(n_a, n_b), 1, lambda at, _: _clear(e, e.at(scratch, at)))

        def block(first: Value, _: list[Value]) -> list[Value]:
            last = minimum(e, b.add(first, integer(cut.n_rows)), n_rows)
            _Block(e, cut, (first, last), (here, a_stride, n_a), factor).emit(n_b, scratch)
            return []

        e.loop(integer(0), n_rows, cut.n_rows, block)
        _turn(e, scratch, (n_a, n_b), (e.at(out, b.mul(start, out_stride)), out_stride))
        return []

    e.loop(i0, i1, most, columns)
    b.ret_void()


def _clear(e: Emitter, place: Value) -> list[Value]:
    e.store(e.splat(0.0, 1), place)
    return []


class _Block:
    """The sums over a block of rows, added to what is in the scratch: [n_b, n_a]."""

    def __init__(
        self,
        emitter: Emitter,
        cut: Blocking,
        rows: tuple[Value, Value],
        columns: tuple[Value, Value, Value],
        factor: Gathered,
    ):
        self.e, self.cut, self.rows, self.factor = emitter, cut, rows, factor
        self.a, self.a_stride, self.n_a = columns

    def emit(self, n_b: Value, scratch: Value) -> None:
        """All columns of the second factor, several at a time, then singly."""
        e, b = self.e, self.e.builder
        done = integer(0)
        for count in (_most_columns(e), 1):
            end = b.sub(n_b, b.srem(n_b, integer(count)))

            def some(j: Value, _: list[Value], count: int = count) -> list[Value]:
                self._all_vectors(j, count, e.at(scratch, b.mul(j, self.n_a)))
                return []

            e.loop(done, end, count, some)
            done = end

    def _all_vectors(self, j: Value, count: int, sums: Value) -> None:
        b, done = self.e.builder, integer(0)
        for vectors, lanes in self._shapes():
            width = vectors * lanes
            left = b.sub(self.n_a, done)
            end = b.sub(self.n_a, b.srem(left, integer(width)))

            def some(
                i: Value, _: list[Value], vectors: int = vectors, lanes: int = lanes
            ) -> list[Value]:
                self._accumulate((i, vectors, lanes), (j, count), self.e.at(sums, i))
                return []

            self.e.loop(done, end, width, some)
            done = end

    def _shapes(self) -> Iterator[tuple[int, int]]:
        lanes = self.cut.form.lanes
        yield from ((count, lanes) for count in _VECTORS)
        if lanes > 1:
            yield 1, 1

    def _accumulate(
        self, first: tuple[Value, int, int], second: tuple[Value, int], sums: Value
    ) -> None:
        """Some vectors of the first factor times some columns of the second, over all rows."""
        e, b = self.e, self.e.builder
        (i, vectors, lanes), (j, count) = first, second

        def row(r: Value, totals: list[Value]) -> list[Value]:
            here = e.at(self.a, b.add(b.mul(r, self.a_stride), i))
            other = e.at(self.factor.row(e, r), j)
            left = [e.load(e.at(here, v * lanes), lanes) for v in range(vectors)]
            right = [e.load_spread(e.at(other, c), lanes) for c in range(count)]
            pairs = [(v, c) for c in range(count) for v in range(vectors)]
            return [
                e.fma(left[v], right[c], total) for (v, c), total in zip(pairs, totals, strict=True)
            ]

        zeros = [e.splat(0.0, lanes)] * (vectors * count)
        totals = iter(e.loop(*self.rows, 1, row, zeros, tight=True))
        for c in range(count):
            line = e.at(sums, b.mul(self.n_a, integer(c)))
            for v in range(vectors):
                place = e.at(line, v * lanes)
                e.store(b.fadd(e.load(place, lanes), next(totals)), place)


def _turn(e: Emitter, source: Value, sizes: tuple[Value, Value], sink: tuple[Value, Value]) -> None:
    """From [n_b, n_a] to rows of n_b numbers."""
    (n_a, n_b), (out, stride) = sizes, sink
    b = e.builder

    def unit(i: Value, _: list[Value]) -> list[Value]:
        def item(j: Value, _: list[Value]) -> list[Value]:
            found = e.load(e.at(source, b.add(b.mul(j, n_a), i)), 1)
            e.store(found, e.at(out, b.add(b.mul(i, stride), j)))
            return []

        e.loop(integer(0), n_b, 1, item)
        return []

    e.loop(integer(0), n_a, 1, unit)
