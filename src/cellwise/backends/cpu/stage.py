"""One stage as a function: all products of a block of rows and units, then its elements.

    stage(frame, r0, r1, c0, parity)

Rows r0 to r1 of the thread; c0 is the first row of the chunk at work, `parity` says which half of
the state buffers holds the step before. Of a team that shares its rows each member computes some of
the units: what it computes of a unit is the same as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from llvmlite import ir

from cellwise.backends.cpu import products
from cellwise.backends.cpu.elementwise import VOID
from cellwise.backends.cpu.emitter import I32, I64, POINTER, Emitter, Value, integer
from cellwise.backends.cpu.layout import Frame, Place
from cellwise.backends.cpu.panels import Chunk, Operand, Run, chunks_of
from cellwise.backends.cpu.registers import block_sizes, streams
from cellwise.backends.cpu.stage_kernel import FEW_ROWS, ROWS_AT_ONCE, StageKernel
from cellwise.backends.cpu.target import LINE_BYTES

LoopBody = Callable[[Value, list[Value]], list[Value]]

PRODUCT = ir.FunctionType(VOID, products.PRODUCT)
AHEAD = ir.FunctionType(VOID, products.AHEAD)
STREAM = ir.FunctionType(VOID, products.STREAM)


class _Panels(NamedTuple):
    """The panels of a group, and the one that is read after them."""

    first: Value
    stop: Value
    following: Value


class StageBody:
    """Emits one stage: addresses first, then products and elements, block by block."""

    def __init__(
        self,
        emitter: Emitter,
        number: int,
        kernel: StageKernel,
        frame: Frame,
        elements: ir.Function,
    ):
        self.e, self.b = emitter, emitter.builder
        self.number, self.kernel, self.frame, self.elements = number, kernel, frame, elements
        self.table, self.r0, self.r1, self.c0, self.parity = emitter.function.args
        self.label = self.parity  # rows by their labels have no state buffers
        self.members: tuple[Value, Value] | None = None
        self.n_rows = self.b.sub(self.r1, self.r0)
        self.n_columns = max(len(kernel.places.order), 1)

    def emit(self) -> None:
        """The addresses of all rows, then products and elements."""
        self._addresses()
        if self.kernel.stage.is_labelled:
            self._few(1)
        elif self.kernel.is_whole:
            with self.b.if_then(self.b.icmp_signed("==", self._count("member"), integer(0))):
                self.members = None
                self._units()
        else:
            self.members = self._count("member"), self._count("members")
            self._units()
        self.b.ret_void()

    def _units(self) -> None:
        """All units, or the member's."""
        if self.kernel.operands:
            self._products()
            return
        size, lanes, zero = self.kernel.stage.size, self.kernel.lanes, integer(0)
        first, stop = self._share(-(-size // lanes))
        u0, u1 = self.b.mul(first, integer(lanes)), self.b.mul(stop, integer(lanes))
        self._call(zero, self.addresses, zero, u0, self._least(u1, size), zero, self.n_rows)

    def _share(self, count: int) -> tuple[Value, Value]:
        """Which of so many things the member computes: from the first to below the second."""
        none, whole = integer(0), integer(count)
        if self.members is None:
            return none, whole
        member, members = self.members
        b, before = self.b, self.b.block
        with b.if_then(b.icmp_signed(">", members, integer(1))):
            ends = [b.udiv(b.mul(whole, n), members) for n in (member, b.add(member, integer(1)))]
            inside = b.block
        found = []
        for alone, end in zip((none, whole), ends, strict=True):
            phi = b.phi(I64)
            phi.add_incoming(alone, before)
            phi.add_incoming(end, inside)
            found.append(phi)
        return found[0], found[1]

    def _slot(self, *key: str | int) -> Value:
        return self.e.load_pointer(self.table, self.frame.slot(*key))

    def _count(self, *key: str | int) -> Value:
        return self.e.load_integer(self.table, self.frame.slot(*key))

    # Addresses

    def _addresses(self) -> None:
        """Fill the table of addresses, a line a row, and the operands' rows, a line an operand."""
        self.addresses = self._slot("addresses")
        self.operand_rows = self._slot("operand_rows")
        self.capacity = self._count("capacity")
        finders = [self._finder(place) for place in self.kernel.places.order]
        operand_places = [self._operand_place(o) for o in self.kernel.operands]
        operand_finders = [self._finder(place) for place in operand_places]

        def row(rel: Value, _: list[Value]) -> list[Value]:
            line = self.b.mul(rel, integer(self.n_columns))
            for column, find in enumerate(finders):
                where = self.b.gep(
                    self.addresses, [self.b.add(line, integer(column))], source_etype=POINTER
                )
                self.b.store(find(rel), where)
            for number, find in enumerate(operand_finders):
                self.b.store(find(rel), self._operand_row(number, rel))
            return []

        self.e.loop(integer(0), self.n_rows, 1, row)

    def _operand_place(self, operand: Operand) -> Place:
        return self.kernel.places.layout.read(operand.node, self.kernel.stage.section)

    def _operand_row(self, number: int, rel: Value) -> Value:
        line = self.b.mul(self.capacity, integer(number))
        return self.b.gep(self.operand_rows, [self.b.add(line, rel)], source_etype=POINTER)

    def _finder(self, place: Place) -> Callable[[Value], Value]:
        """How to find a place's address from the row's number in this call."""
        if place.kind in ("begin", "end"):
            return self._list(place)
        size = integer(place.size)
        base = self._slot(
            place.kind if place.kind in ("chunk", "level") else _base(place), place.name
        )
        if place.kind == "rows":
            return lambda rel: self.e.at(base, self.b.mul(self._index(("rows",), rel), size))
        if place.kind == "shifted":
            edge = self._slot("edge", place.name)
            key = ("befores",) if place.index in ("t-1", "t+1") else ("table", place.index)
            return lambda rel: self._shifted((base, edge), size, self._index(key, rel))
        if place.kind == "chunk":
            start = self.b.sub(self.r0, self.c0)
            return lambda rel: self.e.at(base, self.b.mul(self.b.add(start, rel), size))
        if place.kind == "level":
            return lambda rel: self.e.at(base, self.b.mul(rel, size))
        parity = self.parity if place.kind == "past" else self.b.sub(integer(1), self.parity)
        start = self.b.mul(parity, self._count("n_places"))
        return lambda rel: self.e.at(base, self.b.mul(self.b.add(start, rel), size))

    def _list(self, place: Place) -> Callable[[Value], Value]:
        """Where in the list of gathered rows those of a row begin, or end."""
        entries, after = self._slot("list", place.name), int(place.kind == "end")

        def find(rel: Value) -> Value:
            at = self._index(("list_first", place.name), self.b.add(rel, integer(after)))
            return self.b.gep(entries, [at], source_etype=I64)

        return find

    def _index(self, key: tuple[str, ...], rel: Value) -> Value:
        return self.e.load_integer(self._slot(*key), self.b.add(self.r0, rel))

    def _shifted(self, bases: tuple[Value, Value], size: Value, index: Value) -> Value:
        base, edge = bases
        inside = self.b.icmp_signed(">=", index, integer(0))
        start = self.b.select(inside, base, edge)
        beyond = self.b.sub(integer(-1), index)
        return self.e.at(start, self.b.mul(self.b.select(inside, index, beyond), size))

    # Elements

    def _call(self, rel: Value, tile: Value, *numbers: Value) -> None:
        """The elements of some rows: slot stride, first and last unit, row stride, row count."""
        line = self.b.mul(rel, integer(self.n_columns))
        addresses = self.b.gep(self.addresses, [line], source_etype=POINTER)
        self.b.call(self.elements, [self.table, addresses, tile, *numbers])

    # Products

    def _products(self) -> None:
        is_few = self.b.icmp_signed("<=", self.n_rows, integer(FEW_ROWS))
        with self.b.if_else(is_few) as (few, many):
            with few:
                for count in range(1, FEW_ROWS + 1):
                    with self.b.if_then(self.b.icmp_signed("==", self.n_rows, integer(count))):
                        self._few(count)
            with many:
                tile = self._slot("tile")
                for at in range(len(self.kernel.operands[0].runs)):
                    self._run(at, tile)

    def _run(self, at: int, tile: Value) -> None:
        """Group after group of panels; within one, all rows: so its weights stay in the cache.

        Where weights come from far, every other step takes the groups from the last to the first.
        It begins with those that the step before ended with, and that a cache may still hold.
        """
        n_panels = len(self.kernel.operands[0].runs[at].offsets)
        size = self.kernel.group(at)
        start, end = (self.b.mul(n, integer(size)) for n in self._share(-(-n_panels // size)))
        last = self.b.sub(end, integer(size))
        parity = self.parity if self.kernel.is_far else integer(0)
        turns = self.b.icmp_signed("!=", parity, integer(0))

        def group(number: Value, _: list[Value]) -> list[Value]:
            mirrored = self.b.sub(self.b.add(start, last), number)
            first = self.b.select(turns, mirrored, number)
            stop = self._least(self.b.add(first, integer(size)), n_panels)
            following = self._following(turns, first, (start, last), size)
            panels = _Panels(first, stop, following)

            def block(rel: Value, _: list[Value]) -> list[Value]:
                self._block(at, panels, rel, tile)
                return []

            self.e.loop(integer(0), self.n_rows, ROWS_AT_ONCE, block)
            return []

        self.e.loop(start, end, size, group)

    def _following(self, turns: Value, first: Value, ends: tuple[Value, Value], size: int) -> Value:
        """The first panel of the next group; of the last one, its own."""
        lowest, highest = ends
        above, lower = (f(first, integer(size)) for f in (self.b.add, self.b.sub))
        up = self.b.select(self.b.icmp_signed("<=", above, highest), above, first)
        down = self.b.select(self.b.icmp_signed(">=", lower, lowest), lower, first)
        return self.b.select(turns, down, up)

    def _least(self, value: Value, bound: int) -> Value:
        limit = integer(bound)
        return self.b.select(self.b.icmp_signed("<", value, limit), value, limit)

    def _block(self, at: int, panels: _Panels, rel: Value, tile: Value) -> None:
        """The products of some rows and the units of some panels, then their elements."""
        count = self._least(self.b.sub(self.n_rows, rel), ROWS_AT_ONCE)
        run = self.kernel.operands[0].runs[at]
        width = self.kernel.group(at) * run.width
        row_items = self.kernel.n_slots * width
        first, stop, following = panels
        u0 = self._offset(run, first)
        u1 = self.b.add(self._offset(run, self.b.sub(stop, integer(1))), integer(run.width))

        def products(panel: Value, _: list[Value]) -> list[Value]:
            column = self.b.sub(self._offset(run, panel), u0)
            more = self.b.add(panel, integer(1))
            ahead = self.b.select(self.b.icmp_signed("<", more, stop), more, following)
            for chunk in chunks_of(self.kernel.operands, at, self.kernel.lanes):
                out = self.e.at(self.e.at(tile, chunk.slot * width), column)
                vectors = width if chunk.together else self.kernel.lanes
                weights = self._weights(chunk, panel), self._weights(chunk, ahead)
                self._cover(chunk, (rel, count), weights, (out, row_items, vectors))
            return []

        self.e.loop(first, stop, 1, products)
        start = self.e.at(tile, self.b.sub(integer(0), u0))
        self._call(rel, start, integer(width), u0, u1, integer(row_items), count)

    def _weights(self, chunk: Chunk, panel: Value) -> Value:
        """Where a chunk's weights of a panel begin."""
        weights = self._slot("weights", self.number, chunk.number)
        panels = self.b.mul(panel, integer(chunk.panel_items))
        if self.kernel.stage.is_labelled:
            panels = self.b.add(panels, self.b.mul(self.label, integer(chunk.operand.items)))
        return self.e.at(weights, self.b.add(integer(chunk.run.base + chunk.skipped), panels))

    def _cover(
        self,
        chunk: Chunk,
        rows: tuple[Value, Value],
        weights: tuple[Value, Value],
        result: tuple[Value, int, int],
    ) -> None:
        """Products of some rows, in as few blocks as can be, all of about the same size.

        Where weights come from far, each of the first four blocks fetches a line a k of the
        panel that comes next: that is all of it, if it has four vectors of a line.
        """
        first, count = rows
        panel, following = weights
        out, row_items, vectors = result
        most = max(block_sizes(self.e.target, chunk.n_vectors))
        lanes, sizes = self.kernel.lanes, range(1, most + 1)
        kind = "ahead" if self.kernel.is_far else "block"
        table = min(self.frame.slot(kind, lanes, chunk.n_vectors, n) for n in sizes)
        n_blocks = self.b.udiv(self.b.add(count, integer(most - 1)), integer(most))
        least = self.b.udiv(count, n_blocks)
        larger = self.b.sub(count, self.b.mul(least, n_blocks))

        def block(number: Value, done: list[Value]) -> list[Value]:
            more = self.b.zext(self.b.icmp_signed("<", number, larger), I64)
            size = self.b.add(least, more)
            where = self._operand_row(chunk.number, self.b.add(first, done[0]))
            to = self.e.at(out, self.b.mul(done[0], integer(row_items)))
            slot, length = self.b.add(size, integer(table - 1)), chunk.operand.length
            numbers = (integer(row_items), integer(vectors), ir.Constant(I32, 0))
            arguments = [where, integer(length), panel, to, *numbers]
            if self.kernel.is_far:
                lines = integer(length * LINE_BYTES // self.e.item_bytes)
                part = self.b.mul(self.b.and_(number, integer(3)), lines)
                self.b.call(self._at(AHEAD, slot), [*arguments, self.e.at(following, part)])
            else:
                self.b.call(self._at(PRODUCT, slot), arguments)
            return [self.b.add(done[0], size)]

        self.e.loop(integer(0), n_blocks, 1, block, [integer(0)])

    def _function(self, kind: ir.FunctionType, *key: str | int) -> Value:
        """A function of the runtime, by its slot."""
        return self._at(kind, integer(self.frame.slot(*key)))

    def _at(self, kind: ir.FunctionType, slot: Value) -> Value:
        place = self.b.gep(self.table, [slot], source_etype=I64)
        return self.b.load(place, align=8, typ=ir.PointerType(kind))

    # One row, or two

    def _few(self, count: int) -> None:
        """All products of all units first, several panels at once; then the elements.

        A member takes its panels of every run, and then their elements.
        """
        tile, size = self._slot("tile"), self.kernel.stage.size
        row_items, zero = self.kernel.n_slots * size, integer(0)
        numbers = integer(row_items), integer(count)
        runs = self.kernel.operands[0].runs
        shares = [self._share(len(run.offsets)) for run in runs]
        for at, share in enumerate(shares):
            for chunk in chunks_of(self.kernel.operands, at, self.kernel.lanes):
                out = self.e.at(tile, chunk.slot * size)
                self._stream(chunk, share, count, (out, row_items))
        if self.members is None:
            self._call(zero, tile, integer(size), zero, integer(size), *numbers)
            return
        for run, (first, stop) in zip(runs, shares, strict=True):
            with self.b.if_then(self.b.icmp_signed("<", first, stop)):
                u0 = self._offset(run, first)
                last = self._offset(run, self.b.sub(stop, integer(1)))
                u1 = self.b.add(last, integer(run.width))
                self._call(zero, tile, integer(size), u0, u1, *numbers)

    def _stream(
        self, chunk: Chunk, share: tuple[Value, Value], count: int, result: tuple[Value, int]
    ) -> None:
        """A chunk's products of some panels: several at once, then one at a time."""
        lanes, run, n_vectors = self.kernel.lanes, chunk.run, chunk.n_vectors
        rows, length = self._operand_row(chunk.number, integer(0)), integer(chunk.operand.length)
        (first, stop), (out, row_items) = share, result
        vectors = self.kernel.stage.size if chunk.together else lanes
        at_once = streams(self.e.target, n_vectors, count)
        no = ir.Constant(I32, 0)

        def call(function: Value, strides: list[int]) -> LoopBody:
            def panels(panel: Value, _: list[Value]) -> list[Value]:
                weights, to = self._weights(chunk, panel), self.e.at(out, self._offset(run, panel))
                self.b.call(function, [rows, length, weights, to, *map(integer, strides), no])
                return []

            return panels

        single_from = first
        if at_once > 1 and run.n_regular >= at_once:
            regular = self.b.sub(self._least(stop, run.n_regular), first)
            whole = self.b.and_(regular, integer(-at_once))
            single_from = self.b.add(first, whole)
            several = self._function(STREAM, "stream", lanes, n_vectors, count)
            body = call(several, [row_items, vectors, chunk.panel_items, run.width])
            self.e.loop(first, single_from, at_once, body)
        single = self._function(PRODUCT, "product", lanes, n_vectors, count)
        self.e.loop(single_from, stop, 1, call(single, [row_items, vectors]))

    def _offset(self, run: Run, panel: Value) -> Value:
        start = self.b.add(integer(run.offsets[0]), self.b.mul(panel, integer(run.width)))
        return self._least(start, run.offsets[-1])


def _base(place: Place) -> str:
    return "rows" if place.kind in ("rows", "shifted") else "state"
