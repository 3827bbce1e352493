"""The elements of a stage: row after row, vector after vector of units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from llvmlite import ir

from cellwise.backends.cpu.emitter import I32, I64, POINTER, Emitter, Value, integer
from cellwise.backends.cpu.layout import Frame
from cellwise.backends.cpu.pairs import emit_pairs
from cellwise.backends.cpu.panels import slots_in_order
from cellwise.backends.cpu.stage_places import (
    StagePlaces,
    fixed_nodes,
    gathered_nodes,
    is_literal,
)
from cellwise.backends.cpu.target import Precision, Target
from cellwise.backends.cpu.vector_math import EMIT
from cellwise.graph.node import Node, walk
from cellwise.passes.stages import Piece, other_arguments, own_arguments

VOID = ir.VoidType()


@dataclass(frozen=True)
class Setting:
    """What all functions of one module share."""

    module: ir.Module
    frame: Frame
    constants: Mapping[str, float]
    target: Target
    precision: Precision

    def function(self, name: str, kinds: Sequence[ir.Type]) -> Emitter:
        """An emitter at the start of a new function that is called as it is, never inlined.

        So that a row gets the same code, and the same bits, whoever calls.
        """
        function = ir.Function(self.module, ir.FunctionType(VOID, kinds), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        return Emitter(function, self.target, self.precision)


def emit_elements(name: str, places: StagePlaces, setting: Setting, lanes: int) -> ir.Function:
    """`name(frame, addresses, tile, slot_stride, u0, u1, row_stride, n_rows)`: units u0 to u1.

    `addresses` has a line for each row, with its places in order; products are read at
    tile[row * row_stride + slot * slot_stride + u].
    """
    emitter = setting.function(name, [POINTER, POINTER, POINTER, *[I64] * 5])
    first = places.stage.pieces[0]
    if first.is_apart:
        emit_pairs(emitter, places, first, setting.target.lanes(setting.precision))
    else:
        _Elements(emitter, places, setting, lanes).emit()
    return emitter.function


class _Elements:
    """Emits the loops over rows and their units."""

    def __init__(
        self,
        emitter: Emitter,
        places: StagePlaces,
        setting: Setting,
        lanes: int,
    ):
        self.e, self.places, self.frame = emitter, places, setting.frame
        self.constants, self.lanes = setting.constants, lanes
        self.stage, self.layout = places.stage, places.layout
        self.elements = self.layout.elements
        arguments = emitter.function.args
        self.table, self.addresses, self.tiles, self.stride, self.first, self.stop = arguments[:6]
        self.row_stride, self.n_rows = arguments[6:]
        self.slots = {slot: number for number, slot in enumerate(slots_in_order(self.stage))}
        self.reductions = [p for p in self.stage.pieces if p.is_reduction]
        self.values: dict[tuple[Node, int], Value] = {}
        self.fixed: dict[int, Value] = {}
        self.unit: Value = integer(0)

    def emit(self) -> None:
        for node in fixed_nodes(self.stage, self.layout):
            index = self.layout.fixed_index(node)
            slot = self.frame.slot("fixed", index)
            self.fixed[index] = self.e.load_pointer(self.table, slot)
        self.bases = {
            name: self.e.load_pointer(self.table, self.frame.slot("rows", name))
            for piece in self.stage.pieces
            for node in gathered_nodes(piece.value)
            for name in (str(a.attributes[0]) for a in other_arguments(node))
        }
        self.e.loop(integer(0), self.n_rows, 1, self._row)
        self.e.builder.ret_void()

    def _row(self, row: Value, _: list[Value]) -> Sequence[Value]:
        """All units of one row."""
        b, columns = self.e.builder, range(len(self.places.order))
        line = b.mul(row, integer(max(len(columns), 1)))
        addresses = b.gep(self.addresses, [line], source_etype=POINTER)
        self.pointers = [self.e.load_pointer(addresses, column) for column in columns]
        self.tile = self.e.at(self.tiles, b.mul(row, self.row_stride))
        neutral = [self._neutral(p) for p in self.reductions]
        sums = self.e.loop(self.first, self.stop, self.lanes, self._vector, neutral, tight=True)
        for piece, total in zip(self.reductions, sums, strict=True):
            scalar = self._across(piece, total)
            for column in self.places.of_piece[piece]:
                self.e.store(scalar, self.pointers[column])
        return []

    def _vector(self, index: Value, sums: list[Value]) -> Sequence[Value]:
        """One vector of units; the last one overlaps the one before where it must."""
        self.values.clear()
        b = self.e.builder
        last = integer(self.stage.size - self.lanes)
        beyond = b.icmp_signed(">", index, last)
        self.unit = b.select(beyond, last, index)
        renewed = [self._added(p, s, index) for p, s in zip(self.reductions, sums, strict=True)]
        for piece in self.stage.pieces:
            if not piece.is_reduction and self.places.of_piece[piece]:
                value = self.value(piece.value, piece.start)
                for column in self.places.of_piece[piece]:
                    self.e.store(value, self._at(self.pointers[column], piece.start))
        return renewed

    def _at(self, pointer: Value, start: int) -> Value:
        return self.e.at(self.e.at(pointer, start) if start else pointer, self.unit)

    # Values

    def value(self, node: Node, start: int) -> Value:
        """A vector of elements of an expression, from `start` + the unit at hand.

        Sums can be thousands of terms deep, so nothing here is recursive.
        """
        wanted = _key(node, start)
        stack = [wanted]
        while stack:
            key = stack[-1]
            missing = [k for k in self._inner(*key) if k not in self.values]
            if key in self.values or not missing:
                stack.pop()
                if key not in self.values:
                    self.values[key] = self._value(*key)
            else:
                stack.extend(reversed(missing))
        return self.values[wanted]

    def _inner(self, node: Node, start: int) -> list[tuple[Node, int]]:
        """What an expression is computed from, as it is computed here."""
        if node.operation == "read":
            own = self._own(node, start)
            return [] if own is None else [_key(own.value, own.start)]
        if node.operation == "hole":
            return []
        if node.operation == "gathered":
            return [_key(a, start) for a in own_arguments(node)]
        if node.operation in ("part", "concat"):
            ((inner, at, _),) = self.elements.arguments(node, start, self.stage.size)
            return [_key(inner, at)]
        if _is_given(node):
            return []
        return [_key(a, start) for a in _terms(node)]

    def _value(self, node: Node, start: int) -> Value:
        match node.operation:
            case "number":
                return self.e.splat(float(str(node.attributes[0])), self.lanes)
            case "constant":
                return self.e.splat(self.constants[str(node.attributes[0])], self.lanes)
            case "read":
                return self._read(node, start)
            case "gathered":
                return self._gathered(node, start)
            case "part" | "concat" | "broadcast":
                (inner,) = self._inner(node, start)
                return self.values[inner]
        return self._given(node, start) if _is_given(node) else self._operation(node, start)

    def _given(self, node: Node, start: int) -> Value:
        """What is found in memory: a product, or something fixed."""
        if node.operation != "matmul" or not node.varies:
            return self._fixed(node, start)
        slot = self.e.builder.mul(self.stride, integer(self.slots[node, start]))
        return self.e.load(self.e.at(self.e.at(self.tile, slot), self.unit), self.lanes)

    def _fixed(self, node: Node, start: int) -> Value:
        pointer = self.fixed[self.layout.fixed_index(node)]
        if node.shape:
            return self.e.load(self._at(pointer, start), self.lanes)
        return self.e.load_spread(pointer, self.lanes)

    def _own(self, node: Node, start: int) -> Piece | None:
        """The piece of this stage that a read means, if it is at the same element."""
        if node.attributes[1] != "t":
            return None
        size = self.stage.size if node.shape else 1
        return self.stage.own.get((str(node.attributes[0]), start, size))

    def _read(self, node: Node, start: int) -> Value:
        own = self._own(node, start)
        if own is not None:
            return self.values[_key(own.value, own.start)]
        pointer = self.pointers[self.places.of_read[node]]
        if not node.shape:
            return self.e.load_spread(pointer, self.lanes)
        return self.e.load(self._at(pointer, start), self.lanes)

    def _gathered(self, node: Node, start: int) -> Value:
        """The sum of an expression over other rows, from a list of their numbers."""
        over, body = str(node.attributes[0]), node.attributes[1]
        assert isinstance(body, Node)
        b, outside = self.e.builder, self.values
        begin, end = (self.pointers[self.places.of_list(k, over)] for k in ("begin", "end"))
        first, last = (b.ptrtoint(p, I64) for p in (begin, end))
        count = b.sdiv(b.sub(last, first), integer(8))
        own = [outside[_key(a, start)] for a in own_arguments(node)]

        def add(at: Value, sums: list[Value]) -> Sequence[Value]:
            row = self.e.load_integer(begin, at)
            others = [self._other(a, row, start) for a in other_arguments(node)]
            self.values = {
                _key(hole, start): [*own, *others][int(str(hole.attributes[0]))]
                for hole in walk([body])
                if hole.operation == "hole"
            }
            return [b.fadd(sums[0], self.value(body, start))]

        # -0.0 is what addition leaves as it is, so that a single row's value comes through whole
        (total,) = self.e.loop(integer(0), count, 1, add, [self.e.splat(-0.0, self.lanes)])
        self.values = outside
        none = b.icmp_signed("==", count, integer(0))
        return b.select(none, self.e.splat(0.0, self.lanes), total)

    def _other(self, node: Node, row: Value, start: int) -> Value:
        """A vector of a signal at another row."""
        size = integer(self.elements.size(node))
        pointer = self.e.at(self.bases[str(node.attributes[0])], self.e.builder.mul(row, size))
        if not node.shape:
            return self.e.load_spread(pointer, self.lanes)
        return self.e.load(self._at(pointer, start), self.lanes)

    def _operation(self, node: Node, start: int) -> Value:
        values = [self.values[_key(a, start)] for a in _terms(node)]
        if node.operation in ("add", "sub") and len(values) > 2:
            return self._fused(node, values)
        if _is_square(node):
            return self.e.builder.fmul(values[0], values[0])
        return EMIT[node.operation](self.e, *values)

    def _fused(self, node: Node, values: list[Value]) -> Value:
        """a b + c, c - a b and a b - c in one instruction."""
        minus, negative = node.operation == "sub", self.e.builder.fneg
        if _factors(node.arguments[1]):
            c, a, b = values
            return self.e.fma(negative(a) if minus else a, b, c)
        a, b, c = values
        return self.e.fma(a, b, negative(c) if minus else c)

    # Sums over the units

    def _neutral(self, piece: Piece) -> Value:
        value = 0.0 if piece.value.operation == "sum" else float("-inf")
        return self.e.splat(value, self.lanes)

    def _added(self, piece: Piece, so_far: Value, index: Value) -> Value:
        value = self.value(piece.value.arguments[0], 0)
        if self.stage.size % self.lanes:
            value = self._fresh(value, self._neutral(piece), index)
        if piece.value.operation == "sum":
            return self.e.builder.fadd(so_far, value)
        return EMIT["maximum"](self.e, so_far, value)

    def _fresh(self, value: Value, neutral: Value, index: Value) -> Value:
        """Lanes that the vector before has computed already count for nothing."""
        b = self.e.builder
        lanes = ir.Constant(ir.VectorType(I64, self.lanes), list(range(self.lanes)))
        again = self.e.spread(b.sub(index, self.unit), self.lanes)
        return b.select(b.icmp_signed(">=", lanes, again), value, neutral)

    def _across(self, piece: Piece, total: Value) -> Value:
        """All lanes in one, halving."""
        b, width = self.e.builder, self.lanes
        while width > 1:
            width //= 2
            halves = [
                b.shuffle_vector(total, total, ir.Constant(ir.VectorType(I32, width), places))
                for places in (list(range(width)), list(range(width, 2 * width)))
            ]
            if piece.value.operation == "sum":
                total = b.fadd(*halves)
            else:
                total = EMIT["maximum"](self.e, *halves)
        return total


def _is_given(node: Node) -> bool:
    """Whether a node's value is found in memory: a product, or something fixed and no literal."""
    if node.operation == "matmul" and node.varies:
        return True
    if node.varies or node.operation == "broadcast":
        return False
    return bool(node.shape) or not is_literal(node)


def _key(node: Node, start: int) -> tuple[Node, int]:
    return node, start if node.shape else 0


def _terms(node: Node) -> list[Node]:
    """The arguments of an operation, with those of a product that is added in one instruction."""
    if node.operation in ("add", "sub"):
        left, right = node.arguments
        if factors := _factors(right):
            return [left, *factors]
        if factors := _factors(left):
            return [*factors, right]
    if _is_square(node):
        return [node.arguments[0]]
    return list(node.arguments)


def _is_square(node: Node) -> bool:
    power = node.arguments[1] if node.operation == "pow" else None
    return power is not None and power.operation == "number" and power.attributes[0] == 2.0


def _factors(node: Node) -> tuple[Node, Node] | None:
    if not node.varies:
        return None
    if node.operation == "mul":
        return cast(tuple[Node, Node], node.arguments)
    return (node.arguments[0], node.arguments[0]) if _is_square(node) else None
