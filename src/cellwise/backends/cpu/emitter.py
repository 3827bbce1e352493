"""A thin layer over llvmlite's builder: vectors, addresses and loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from llvmlite import ir

from cellwise.backends.cpu.target import BYTES, LINE_BYTES, Precision, Target

Value: TypeAlias = Any
"""A value of llvmlite's, which has no types."""

POINTER = ir.PointerType()
I8 = ir.IntType(8)
I32 = ir.IntType(32)
I64 = ir.IntType(64)
SCALARS = {"f32": ir.FloatType(), "f64": ir.DoubleType()}


def integer(value: int) -> ir.Constant:
    """A 64-bit number."""
    return ir.Constant(I64, value)


def vector_type(precision: Precision, lanes: int) -> ir.Type:
    """The type of a vector; of one lane, too: every value is a vector."""
    return ir.VectorType(SCALARS[precision], lanes)


def intrinsic(module: ir.Module, name: str, types: Sequence[ir.Type], result: ir.Type) -> Value:
    """An LLVM intrinsic by its full name, declared once a module."""
    if name in module.globals:
        return module.globals[name]
    return ir.Function(module, ir.FunctionType(result, types), name)


def _at_a_line(module: ir.Module) -> ir.MDValue:
    """What tells LLVM to begin a loop at a line of the instruction cache.

    A loop that begins in the middle of a line decodes more of them: products of five rows took
    1.2 times as long so, on Zen 3.
    """
    align = module.add_metadata(["llvm.loop.align", ir.Constant(I32, LINE_BYTES)])
    loop = module.add_metadata([align, integer(len(module.metadata))])  # unlike any other
    loop.operands = (loop, align)  # LLVM wants a loop's mark to name itself first
    return loop


class Emitter:
    """Writes one function, with values of one precision.

    Attributes:
        builder: llvmlite's.
        target: what is emitted for.
        precision: of all floating-point values.
    """

    def __init__(self, function: ir.Function, target: Target, precision: Precision):
        self.function, self.target, self.precision = function, target, precision
        self.module: ir.Module = function.module
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.item_bytes = BYTES[precision]

    # Numbers

    def splat(self, value: float, lanes: int) -> Value:
        """A constant in every lane."""
        return ir.Constant(vector_type(self.precision, lanes), [float(value)] * lanes)

    def spread(self, scalar: Value, lanes: int) -> Value:
        """A scalar in every lane."""
        kind = ir.VectorType(scalar.type, lanes)
        one = self.builder.insert_element(
            ir.Constant(kind, ir.Undefined), scalar, ir.Constant(I32, 0)
        )
        zeros = ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
        return self.builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)

    def call(self, name: str, *arguments: Value) -> Value:
        """Calls an LLVM intrinsic on vectors of one type, such as "fma" on three."""
        kind = arguments[0].type
        scalar = f"f{BYTES[self.precision] * 8}"
        full = f"llvm.{name}.v{kind.count}{scalar}"
        function = intrinsic(self.module, full, [a.type for a in arguments], kind)
        return self.builder.call(function, arguments)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """The sum a b + c, with one rounding where the target can, else with two."""
        if self.target.fused:
            return self.call("fma", a, b, c)
        return self.builder.fadd(self.builder.fmul(a, b), c)

    # Memory; offsets count numbers, not bytes

    def at(self, pointer: Value, offset: Value | int) -> Value:
        """The address `offset` numbers behind a pointer."""
        where = integer(offset) if isinstance(offset, int) else offset
        return self.builder.gep(pointer, [where], source_etype=SCALARS[self.precision])

    def load(self, pointer: Value, lanes: int) -> Value:
        """A vector from memory, not aligned."""
        kind = vector_type(self.precision, lanes)
        return self.builder.load(pointer, align=self.item_bytes, typ=kind)

    def load_spread(self, pointer: Value, lanes: int) -> Value:
        """One number from memory in every lane."""
        scalar = self.builder.load(pointer, align=self.item_bytes, typ=SCALARS[self.precision])
        return self.spread(scalar, lanes)

    def store(self, value: Value, pointer: Value) -> None:
        """A vector to memory, not aligned."""
        self.builder.store(value, pointer, align=self.item_bytes)

    def fetch(self, pointer: Value, cache: int) -> None:
        """Asks for a line of memory, to have it in the first or the second cache when it is read.

        An address that is nobody's does no harm.
        """
        kinds = [POINTER, I32, I32, I32]
        function = intrinsic(self.module, "llvm.prefetch.p0", kinds, ir.VoidType())
        hints = [ir.Constant(I32, n) for n in (0, 4 - cache, 1)]  # to read, how near, data
        self.builder.call(function, [pointer, *hints])

    def load_integer(self, pointer: Value, index: Value | int) -> Value:
        """A 64-bit number of an array."""
        where = integer(index) if isinstance(index, int) else index
        place = self.builder.gep(pointer, [where], source_etype=I64)
        return self.builder.load(place, align=8, typ=I64)

    def load_pointer(self, table: Value, index: Value | int) -> Value:
        """A pointer of an array of pointers."""
        where = integer(index) if isinstance(index, int) else index
        place = self.builder.gep(table, [where], source_etype=POINTER)
        return self.builder.load(place, align=8, typ=POINTER)

    # Control

    def loop(
        self,
        start: Value,
        stop: Value,
        step: int,
        body: Callable[[Value, list[Value]], Sequence[Value]],
        carried: Sequence[Value] = (),
        *,
        tight: bool = False,
    ) -> list[Value]:
        """For i from start below stop: carried = body(i, carried). Returns the last `carried`.

        A `tight` loop, one in which the time goes, begins at a line of the instruction cache.
        """
        b = self.builder
        before = b.block
        head = b.append_basic_block("head")
        inner = b.append_basic_block("body")
        done = b.append_basic_block("done")
        b.branch(head)
        b.position_at_end(head)
        index = b.phi(I64)
        index.add_incoming(start, before)
        values = [b.phi(value.type) for value in carried]
        for phi, value in zip(values, carried, strict=True):
            phi.add_incoming(value, before)
        b.cbranch(b.icmp_signed("<", index, stop), inner, done)
        b.position_at_end(inner)
        renewed = body(index, values)
        index.add_incoming(b.add(index, integer(step)), b.block)
        for phi, value in zip(values, renewed, strict=True):
            phi.add_incoming(value, b.block)
        again = b.branch(head)
        if tight:
            again.set_metadata("llvm.loop", _at_a_line(self.module))
        b.position_at_end(done)
        return values
