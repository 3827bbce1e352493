"""The error function, and gelu: x Φ(x), with Φ the distribution function of the normal distribution.

The tail is Φ(-a) = e^(-a²/2) m(a), and (1 + a) m(a) is a slow function: a polynomial in
q = (a - k) / (a + k), as Shepherd and Laframboise do for erfc (Mathematics of Computation 36, 1981).
Nothing cancels: gelu keeps its relative accuracy for negative x, where 1 + erf(x / √2) loses it. The
polynomials are minimax for the relative error, found by Remez exchange with 45 digits, then rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from cellwise.backends.cpu.math.exponential import factors, factors_range
from cellwise.backends.cpu.math.lanes import Lanes, integers, polynomial

SCALE = 1.875
"""Brings values of p from just above 1/2, where rounding costs most, to just below 1."""


@dataclass(frozen=True)
class Tail:
    """1.875 (1 + a) m(a) = p((a - k) / (a + k))."""

    k: float
    p: tuple[float, ...]


TAILS = {
    32: Tail(  # relative error 1.4e-8 for a <= 13.3
        3.75,
        (
            0.890974224,
            -0.182646573,
            0.0147359157,
            0.0627182797,
            -0.0596421994,
            0.0271847174,
            -0.00415867893,
            -0.00224471372,
            0.000934798212,
            0.000332343799,
        ),
    ),
    64: Tail(  # 8.4e-18 for a <= 37.8
        5.0,
        (
            0.86534218096882082,
            -0.17166052843876659,
            0.058181940798681998,
            0.018754410722266125,
            -0.049501955561850172,
            0.046006806083156933,
            -0.028444528878764582,
            0.012228751233457538,
            -0.0031426356625808324,
            0.000014609396389106568,
            0.00034187667452362299,
            -0.00010051494808742401,
            -0.00001855601623834958,
            0.000016989368370130993,
            -1.2906098686137814e-7,
            -2.455473169603666e-6,
            2.3367112061839363e-7,
            3.7206712426884898e-7,
            -4.1244690036137856e-8,
            -5.9473233747226021e-8,
            8.6087232657195145e-10,
            7.3658049893614003e-9,
            1.3544031645461155e-9,
        ),
    ),
}

NEAR_ZERO = {
    32: (  # 6.3e-10
        1.12837917,
        -0.376126286,
        0.112835472,
        -0.0268448455,
        0.00513905865,
        -0.000695678844,
    ),
    64: (  # 1.8e-19
        1.1283791670955126,
        -0.37612638903183743,
        0.11283791670954343,
        -0.026866170644883402,
        0.0052239776214108408,
        -0.00085483266402228444,
        0.00012055310221725179,
        -0.000014924779767609479,
        1.64406258814803e-6,
        -1.6033712592146862e-7,
        1.1846954542717248e-8,
    ),
}
"""erf(x) = x p(x²) for |x| <= 0.7."""


def gelu(x: Lanes) -> Lanes:
    """x Φ(x); NaN at -inf, as x (1 + erf(x / √2)) / 2 is."""
    edge = sqrt(-2 * factors_range(x)[0])
    size = abs(x).at_most(edge)
    bits = size.bits()
    kept = integers(bits, -(2 ** (x.format.fraction // 2 + 1)))
    head = size.with_bits(x.emitter.builder.and_(bits, kept))  # its square is exact
    low = (size - head) * (size + head) * -0.5
    twice, factor = factors(head * head * -0.5, low=low)
    share = _ratio(size) * twice
    kept = (-share).fma(factor, 1.0)
    return (x * kept).where(x.compare(">", 0.0), x * share * factor)


def erf(x: Lanes) -> Lanes:
    """The error function: 1 - 2 Φ(-√2 |x|) with the sign of x, or a polynomial for small x."""
    size = abs(x).at_most(6.0)
    squared = size * size
    twice, factor = factors(-squared)
    large = (1.0 - _ratio(size * sqrt(2.0)) * twice * (factor + factor)).signed_as(x)
    return large.where(size.compare(">=", 0.7), x * polynomial(squared, NEAR_ZERO[x.size]))


def _ratio(a: Lanes) -> Lanes:
    """m(a)."""
    tail = TAILS[a.size]
    return polynomial((a - tail.k) / (a + tail.k), tail.p) / a.fma(SCALE, SCALE)
