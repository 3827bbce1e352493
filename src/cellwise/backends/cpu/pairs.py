"""A stage that holds all products of an element of one vector with an element of another."""

from __future__ import annotations

from cellwise.backends.cpu.emitter import POINTER, Emitter, Value, integer
from cellwise.backends.cpu.stage_places import StagePlaces
from cellwise.passes.stages import Piece


def emit_pairs(emitter: Emitter, places: StagePlaces, piece: Piece, most_lanes: int) -> None:
    """The body of a stage's element-wise part for `kron(a, b)`: out[j K + k] = a[j] b[k]."""
    e, b = emitter, emitter.builder
    _, addresses, *_, n_rows = e.function.args
    first, second = (places.of_read[node] for node in piece.value.arguments)
    sizes = [places.layout.elements.size(node) for node in piece.value.arguments]
    lanes = min(most_lanes, 1 << (sizes[1].bit_length() - 1))
    last = integer(sizes[1] - lanes)

    def row(at: Value, _: list[Value]) -> list[Value]:
        line = b.gep(addresses, [b.mul(at, integer(len(places.order)))], source_etype=POINTER)
        left, right = (e.load_pointer(line, column) for column in (first, second))
        outs = [e.load_pointer(line, column) for column in places.of_piece[piece]]

        def unit(j: Value, _: list[Value]) -> list[Value]:
            factor = e.load_spread(e.at(left, j), lanes)
            start = b.mul(j, integer(sizes[1]))

            def vector(k: Value, _: list[Value]) -> list[Value]:
                unit = b.select(b.icmp_signed(">", k, last), last, k)
                value = b.fmul(factor, e.load(e.at(right, unit), lanes))
                for out in outs:
                    e.store(value, e.at(e.at(out, start), unit))
                return []

            e.loop(integer(0), integer(sizes[1]), lanes, vector)
            return []

        e.loop(integer(0), integer(sizes[0]), 1, unit)
        return []

    e.loop(integer(0), n_rows, 1, row)
    b.ret_void()
