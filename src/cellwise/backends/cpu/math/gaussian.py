"""The error function, and gelu: x Φ(x), Φ being the normal distribution's function.

The tail is Φ(-a) = e^(-a²/2) m(a), and (a + 27/32) m(a) is a slow function: a polynomial in
q = (a - k) / (a + k), much as Shepherd and Laframboise do it for erfc (Mathematics of Computation
36, 1981). Nothing cancels: gelu keeps its relative accuracy for negative x, where the reference's
1 + erf(x / √2) loses it. The polynomials are minimax for the relative error, found with 45 digits
by Remez exchange, for float32 by Lawson's reweighted least squares with one coefficient rounded
after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from cellwise.backends.cpu.math.exponential import factors, factors_range
from cellwise.backends.cpu.math.lanes import Lanes, integers, polynomial

OFFSET = 27 / 32
"""Keeps p just below 1/2, where rounding costs least, for a <= 5."""


@dataclass(frozen=True)
class Tail:
    """(a + 27/32) m(a) = p((a - k) / (a + k))."""

    k: float
    p: tuple[float, ...]


TAILS = {
    32: Tail(  # relative error 9.2e-9 for a <= 13.3
        3.75,
        (
            0.459555119,
            -0.0695264116,
            -0.0117474738,
            0.043958649,
            -0.0357489139,
            0.0152574237,
            -0.00209811353,
            -0.00129625061,
            0.00048848032,
            0.000180684161,
        ),
    ),
    64: Tail(  # 8.6e-18 for a <= 37.8
        5.0,
        (
            0.44949718844769304,
            -0.069137038824006973,
            0.012894616568775691,
            0.022640458207728167,
            -0.033878441760720185,
            0.028195385195562827,
            -0.01657531705056801,
            0.0068936950884243073,
            -0.00171037715581765,
            -0.000013189077464327066,
            0.00019177601883062271,
            -0.000053758182605204959,
            -0.000010934727037976322,
            9.2594658842567617e-6,
            3.6638087913157102e-8,
            -1.3476504205010788e-6,
            1.1258436804710596e-7,
            2.0460998107669654e-7,
            -2.0274845715265378e-8,
            -3.2647757179365362e-8,
            1.6224056956808907e-10,
            4.030053161549724e-9,
            7.6437326088117033e-10,
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
    share = _slow(size).widened() * twice.widened() / (size.widened() + OFFSET)
    away = (x.at_most(edge).widened() * share * factor.widened()).as_wide_as(x)
    # Next to 0 it is x / 2 on both sides, and x minus a flushed x / 2 would be x.
    return (x - away).where(x.compare(">", 4 * x.format.least), away)


def erf(x: Lanes) -> Lanes:
    """The error function: 1 - 2 Φ(-√2 |x|) with the sign of x, or a polynomial for small x."""
    size = abs(x).at_most(6.0)
    squared = size * size
    twice, factor = factors(-squared)
    scaled = size * sqrt(2.0)
    tail = _slow(scaled) / (scaled + OFFSET) * twice * factor
    large = (1.0 - (tail + tail)).signed_as(x)
    return large.where(size.compare(">=", 0.7), x * polynomial(squared, NEAR_ZERO[x.size]))


def _slow(a: Lanes) -> Lanes:
    """(a + 27/32) m(a)."""
    tail = TAILS[a.size]
    return polynomial((a - tail.k) / (a + tail.k), tail.p)
