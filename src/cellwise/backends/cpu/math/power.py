"""a^b in full generality.

a^b = e^(b log |a|), the logarithm as a sum of two doubles whose relative error is about 2^-66, so
that the result's error does not grow with b; float32 goes through float64. The error is below
1 unit in the last place in float32 and below 2 in float64. What IEEE 754 says of zeros, infinities
and NaN is put on top, and the sign, from whether b is odd.
"""

from __future__ import annotations

from math import inf, nan

from cellwise.backends.cpu.emitter import Value
from cellwise.backends.cpu.math.exponential import (
    REDUCTIONS,
    exponential,
    highest,
    lowest,
)
from cellwise.backends.cpu.math.lanes import Lanes, integers, polynomial
from cellwise.backends.cpu.math.logarithm import split

Pair = tuple[Lanes, Lanes]
"""A number as a sum, the second far smaller than the first."""

ARTANH = (
    0.40000000000002248629,
    0.28571428570103056337,
    0.22222222519312674305,
    0.18181784419569587665,
    0.15386754957311025961,
    0.13256872088077188538,
    0.13195832636011388231,
)
"""2 artanh(s) = 2 s + s³ (2/3 + s² p(s²)) for |s| <= 0.1716: relative error 1.1e-20, by Remez."""

TWO_THIRDS = (2 / 3, 2 / 3 * 2.0**-54)
LARGEST_EXPONENT = 2.0**70
"""Beyond, every power but those of ±1 is 0 or infinite."""


def power(a: Lanes, b: Lanes) -> Lanes:
    """a^b, as C and torch define it."""
    return _special(a.widened(), b.widened()).as_wide_as(a)


def _special(a: Lanes, b: Lanes) -> Lanes:
    """a^b: that of |a|, with the sign and the special cases put on."""
    builder, size = a.emitter.builder, abs(a)
    result = _at_limits(size, b, _positive(size, b))
    result = result.signed_as(a).where(_is_odd(b), result)
    negative = builder.and_(a.compare("<", 0.0), a.compare(">", -inf))
    no_root = builder.and_(negative, builder.not_(_is_whole(b)))
    result = a.constant(nan).where(no_root, result)
    result = (a + b).where(builder.fcmp_unordered("uno", a.value, b.value), result)
    one = builder.or_(a.compare("==", 1.0), b.compare("==", 0.0))
    return a.constant(1.0).where(one, result)


def _at_limits(size: Lanes, b: Lanes, result: Lanes) -> Lanes:
    """The result, but 0 or inf where the base is."""
    builder = size.emitter.builder
    none = size.compare("==", 0.0)
    vanishes = builder.xor(none, b.compare("<", 0.0))
    limit = size.constant(0.0).where(vanishes, inf)
    return limit.where(builder.or_(none, size.compare("==", inf)), result)


def _is_whole(b: Lanes) -> Value:
    """A mask: whether b is a whole number; infinities are."""
    size, whole = abs(b), 2.0**b.format.fraction
    near = ((size + whole) - whole).compare("==", size)
    return b.emitter.builder.or_(near, size.compare(">=", whole))


def _is_odd(b: Lanes) -> Value:
    """A mask: whether b is an odd number."""
    builder = b.emitter.builder
    return builder.and_(_is_whole(b), builder.not_(_is_whole(b * 0.5)))


def _positive(size: Lanes, b: Lanes) -> Lanes:
    """a^b for a > 0 and finite."""
    held = b.at_least(-LARGEST_EXPONENT).at_most(LARGEST_EXPONENT)
    high, low = _logarithm(size)
    product, error = _product(held, high)
    bounded = product.at_least(lowest(size)).at_most(highest(size))
    rest = held.fma(low, error).where(bounded.compare("==", product), 0.0)
    return exponential(bounded, rest)


def _logarithm(x: Lanes) -> Pair:
    """log(x) as a sum."""
    e, m = split(x)
    s_high, s_low = _ratio(m)
    squared, error = _product(s_high, s_high)
    squared_low = (s_high * 2.0).fma(s_low, error)
    further = squared * polynomial(squared, ARTANH)
    factor = further + TWO_THIRDS[0]
    factor_low = (factor.constant(TWO_THIRDS[0]) - factor) + further + TWO_THIRDS[1]
    cube = _pair_product((s_high, s_low), (squared, squared_low))
    tail, tail_low = _pair_product(cube, (factor, factor_low))
    high, low = _sum(s_high * 2.0, tail)
    low = low + (s_low.fma(2.0, tail_low))
    reduction = REDUCTIONS[x.size]
    total, rest = _sum(e * reduction.ln2_high, high)
    return total, rest + e.fma(reduction.ln2_low, low)


def _ratio(m: Lanes) -> Pair:
    """(m - 1) / (m + 1)."""
    below = m + 1.0
    below_low = m - (below - 1.0)
    inverse, above = 1.0 / below, m - 1.0
    ratio = above * inverse
    product, error = _product(ratio, below)
    missing = (above - product) - error - ratio * below_low
    return ratio, missing * inverse


def _sum(large: Lanes, small: Lanes) -> Pair:
    """Exactly, if `large` is the larger one or 0 (Dekker, 1971)."""
    total = large + small
    return total, small - (total - large)


def _product(a: Lanes, b: Lanes) -> Pair:
    """The rounded product and what rounding took away."""
    product = a * b
    if a.emitter.target.fused:
        return product, a.fma(b, -product)
    (a_head, a_rest), (b_head, b_rest) = _halves(a), _halves(b)
    error = (a_head * b_head - product) + a_head * b_rest + a_rest * b_head
    return product, error + a_rest * b_rest


def _halves(a: Lanes) -> Pair:
    """The first 26 bits, and the rest."""
    bits = a.bits()
    head = a.with_bits(a.emitter.builder.and_(bits, integers(bits, -(2**27))))
    return head, a - head


def _pair_product(a: Pair, b: Pair) -> Pair:
    product, error = _product(a[0], b[0])
    return product, a[0].fma(b[1], a[1].fma(b[0], error))
