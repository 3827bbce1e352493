"""A vector whose arithmetic reads like mathematics while it writes LLVM instructions."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import ir

from cellwise.backends.cpu.emitter import SCALARS, Emitter, Value, intrinsic


@dataclass(frozen=True)
class Format:
    """An IEEE 754 format.

    Attributes:
        fraction: bits behind the leading one.
        bias: what is added to the exponent.
    """

    fraction: int
    bias: int

    @property
    def least(self) -> float:
        """The smallest normal number."""
        return float(2.0 ** (1 - self.bias))

    @property
    def magic(self) -> float:
        """What to add to round to a whole number, which the last bits of the sum then hold."""
        return 1.5 * 2.0**self.fraction

    def bits(self, number: float) -> int:
        """The integer whose bits represent a number."""
        whole, part = ("<I", "<f") if self.fraction == 23 else ("<Q", "<d")
        return int(struct.unpack(whole, struct.pack(part, number))[0])


FORMATS = {32: Format(23, 127), 64: Format(52, 1023)}
"""By the number of bits."""


class Lanes:
    """Numbers side by side; a Python number stands for a vector of it.

    Attributes:
        emitter: writes the instructions.
        value: LLVM's vector of float or double; its width may differ from the emitter's.
    """

    def __init__(self, emitter: Emitter, value: Value):
        self.emitter, self.value = emitter, value

    @property
    def size(self) -> int:
        """The bits of one number."""
        return 32 if self.value.type.element == SCALARS["f32"] else 64

    @property
    def format(self) -> Format:
        """How the numbers are stored."""
        return FORMATS[self.size]

    def _new(self, value: Value) -> Lanes:
        return Lanes(self.emitter, value)

    def constant(self, number: float) -> Lanes:
        """A number in as many lanes."""
        return self._new(self._of(number))

    def _of(self, other: Lanes | float) -> Value:
        if isinstance(other, Lanes):
            return other.value
        return ir.Constant(self.value.type, [float(other)] * self.value.type.count)

    # Arithmetic

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._new(self.emitter.builder.fadd(self.value, self._of(other)))

    def __radd__(self, other: float) -> Lanes:
        return self + other

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._new(self.emitter.builder.fsub(self.value, self._of(other)))

    def __rsub__(self, other: float) -> Lanes:
        return self._new(self.emitter.builder.fsub(self._of(other), self.value))

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._new(self.emitter.builder.fmul(self.value, self._of(other)))

    def __rmul__(self, other: float) -> Lanes:
        return self * other

    def __truediv__(self, other: Lanes | float) -> Lanes:
        return self._new(self.emitter.builder.fdiv(self.value, self._of(other)))

    def __rtruediv__(self, other: float) -> Lanes:
        return self._new(self.emitter.builder.fdiv(self._of(other), self.value))

    def __neg__(self) -> Lanes:
        return self._new(self.emitter.builder.fneg(self.value))

    def __abs__(self) -> Lanes:
        return self._call("fabs", self.value)

    def fma(self, factor: Lanes | float, term: Lanes | float) -> Lanes:
        """self * factor + term, with one rounding where the target can, else with two."""
        if not self.emitter.target.fused:
            return self * factor + term
        return self._call("fma", self.value, self._of(factor), self._of(term))

    @property
    def reciprocal(self) -> str:
        """The instruction that approximates reciprocals to 14 bits, or an empty text."""
        bits = self.size * int(self.value.type.count)
        has = self.emitter.target.name == "avx512" and self.size == 32 and bits >= 128
        return f"llvm.x86.avx512.rcp14.ps.{bits}" if has else ""

    def over(self, other: Lanes) -> Lanes:
        """self / other where `other` is between 2^-120 and 2^125, or NaN; a zero may lose its sign.

        Division is the slowest instruction of a cell: 16 cycles for 16 numbers on Ice Lake, where
        these four take 4. With a reciprocal r that is right to 14 bits, and q = n r, the rest
        n - d q is exact, and q + r (n - d q) right to 28 bits before it is rounded.
        """
        if not self.reciprocal:
            return self / other
        builder, kind = self.emitter.builder, self.value.type
        mask = ir.IntType(max(int(kind.count), 8))
        function = intrinsic(self.emitter.module, self.reciprocal, [kind, kind, mask], kind)
        all_lanes = ir.Constant(mask, -1)
        r = self._new(builder.call(function, [other.value, self._of(0.0), all_lanes]))
        q = self * r
        return (-other).fma(q, self).fma(r, q)

    def root(self) -> Lanes:
        """The square root."""
        return self._call("sqrt", self.value)

    def signed_as(self, other: Lanes) -> Lanes:
        """The magnitude of this with the sign of `other`."""
        return self._call("copysign", self.value, other.value)

    def _call(self, name: str, *arguments: Value) -> Lanes:
        kind = self.value.type
        full = f"llvm.{name}.v{kind.count}f{self.size}"
        function = intrinsic(self.emitter.module, full, [kind] * len(arguments), kind)
        return self._new(self.emitter.builder.call(function, arguments))

    # Comparison

    def compare(self, sign: str, other: Lanes | float) -> Value:
        """A mask: where "<", ">", "==" … holds; nowhere if either is NaN."""
        return self.emitter.builder.fcmp_ordered(sign, self.value, self._of(other))

    def is_nan(self) -> Value:
        """A mask: where this is no number."""
        return self.emitter.builder.fcmp_unordered("uno", self.value, self.value)

    def where(self, mask: Value, other: Lanes | float) -> Lanes:
        """This where the mask holds, elsewhere `other`."""
        return self._new(self.emitter.builder.select(mask, self.value, self._of(other)))

    def at_least(self, low: float) -> Lanes:
        """`low` where this is less; NaN stays."""
        if self.emitter.target.family == "arm":
            return self._call("maximum", self.value, self._of(low))
        return self._bound(low, ">")  # one instruction, which keeps its second argument, NaN

    def at_most(self, high: float) -> Lanes:
        """`high` where this is more; NaN stays."""
        if self.emitter.target.family == "arm":
            return self._call("minimum", self.value, self._of(high))
        return self._bound(high, "<")

    def _bound(self, bound: float, sign: str) -> Lanes:
        limit = self.constant(bound)
        return limit.where(limit.compare(sign, self), self)

    # Bits

    def bits(self) -> Value:
        """The representation, as integers."""
        kind = ir.VectorType(ir.IntType(self.size), self.value.type.count)
        return self.emitter.builder.bitcast(self.value, kind)

    def with_bits(self, bits: Value) -> Lanes:
        """The numbers of this format that these integers represent."""
        return self._new(self.emitter.builder.bitcast(bits, self.value.type))

    def widened(self) -> Lanes:
        """As float64."""
        return self._as("f64")

    def as_wide_as(self, other: Lanes) -> Lanes:
        """In the format of `other`, rounded if that is float32."""
        return self._as("f32" if other.size == 32 else "f64")

    def _as(self, precision: str) -> Lanes:
        builder = self.emitter.builder
        kind = ir.VectorType(SCALARS[precision], self.value.type.count)
        if kind == self.value.type:
            return self
        convert = builder.fpext if precision == "f64" else builder.fptrunc
        return self._new(convert(self.value, kind))


def integers(like: Value, value: int) -> Value:
    """A constant in every lane of a vector of integers like this one."""
    return ir.Constant(like.type, [value] * like.type.count)


def polynomial(x: Lanes, coefficients: Sequence[float]) -> Lanes:
    """c[0] + c[1] x + c[2] x² + …, by Horner's rule: the fewest instructions."""
    total = x.fma(coefficients[-1], coefficients[-2])
    for coefficient in reversed(coefficients[:-2]):
        total = total.fma(x, coefficient)
    return total
