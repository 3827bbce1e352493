"""The exponential and its kin: sigmoid, silu, softplus.

e^x = 2^n e^r with n a whole number next to x / ln 2 and |r| <= ln 2: 2^n is made of bits, e^r is a
polynomial. The polynomials are minimax for the relative error, found with 45 digits by Remez
exchange or by Lawson's reweighted least squares; those of float32 were rounded one coefficient
after the other, the later ones fitted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from cellwise.backends.cpu.math.lanes import Lanes, integers, polynomial

LN2 = log(2.0)
LIFT = 10
"""Powers of two by which a value is kept off the ends of the range."""


@dataclass(frozen=True)
class Reduction:
    """Constants of one precision.

    Attributes:
        ln2_high: the first bits of ln 2, so few that a multiple by n is exact.
        ln2_low: the rest.
        below: 2 e^r = 2 + r p(r) on [-ln 2, 0].
        around: the same on [-ln 2 / 2, ln 2 / 2].
        coarse: the same, with an error of half a unit in the last place.
    """

    ln2_high: float
    ln2_low: float
    below: tuple[float, ...]
    around: tuple[float, ...]
    coarse: tuple[float, ...]


REDUCTIONS = {
    32: Reduction(
        ln2_high=0.693359375,
        ln2_low=-2.1219444005469058e-4,
        below=(  # relative error 2.2e-9
            1.99999964,
            0.999990702,
            0.333250791,
            0.0829895362,
            0.0159262344,
            0.00196239259,
        ),
        around=(2.0, 0.999999881, 0.333330423, 0.0833365172, 0.0167373382, 0.00276426994),  # 3.1e-9
        coarse=(1.9999994, 0.999983013, 0.333353043, 0.0837956518, 0.0165784713),  # 9.2e-8
    ),
    64: Reduction(
        ln2_high=0.69314718036912382,
        ln2_low=1.9082149292705877e-10,
        below=(  # 3.2e-18
            1.9999999999999984,
            0.99999999999987061,
            0.33333333332970315,
            0.083333333282234717,
            0.016666666246563548,
            0.0027777755952384087,
            0.00039681793066312705,
            0.000049586087400156683,
            5.4854732756819387e-6,
            5.2575380229487743e-7,
            3.5401599903724045e-8,
        ),
        around=(  # 3.4e-18
            2.0,
            1.0000000000000025,
            0.33333333333332434,
            0.083333333333035444,
            0.016666666667099527,
            0.0027777777892765994,
            0.00039682538873462178,
            0.000049602981206067617,
            5.5115253376495185e-6,
            5.5262093333387543e-7,
            4.9982911123192119e-8,
        ),
        coarse=(  # 2.2e-16
            2.0000000000000112,
            0.99999999999995965,
            0.33333333333128893,
            0.083333333336403494,
            0.016666666765998385,
            0.0027777777058911583,
            0.00039682346044478805,
            0.000049603799591283433,
            5.5278424869955577e-6,
            5.4984360131043284e-7,
        ),
    ),
}


def lowest(x: Lanes) -> float:
    """An argument at which e^x is 0, every result below the normal numbers being 0."""
    return -(x.format.bias - 0.5) * LN2


def highest(x: Lanes) -> float:
    """An argument at which e^x is inf."""
    return (x.format.bias + 1.5) * LN2


def exponential(x: Lanes, low: Lanes | None = None) -> Lanes:
    """e^(x + low), for x between `lowest` and `highest` and low far smaller, or NaN.

    r lies in [-ln 2, 0], so that 2 e^r is in [1, 2] and the factor 2^(n-1) is 0, normal or inf
    exactly where the result is.
    """
    whole = x if low is None else x + low
    offset = x.format.magic + x.format.bias - 1
    shifted = whole.fma(1 / LN2, 0.5) + offset
    r = _rest(shifted - offset, x, low)
    return polynomial(r, (2.0, *REDUCTIONS[x.size].below)) * _factor(shifted)


def factors(
    x: Lanes,
    *,
    low: Lanes | None = None,
    negated: bool = False,
    lift: int = 0,
    coarse: bool = False,
) -> tuple[Lanes, Lanes]:
    """Two factors of 2^lift e^(x + low); one is 0 already at 1.41 times the least normal number.

    r lies in [-ln 2 / 2, ln 2 / 2]: one instruction less than `exponential`, and more accurate.

    Args:
        x: within `factors_range`, or NaN.
        low: what rounding took from x.
        negated: use -(x + low) in the place of x + low; without an instruction.
        lift: the power of two.
        coarse: with the shorter polynomial.
    """
    sign = -1 if negated else 1
    whole = x if low is None else x + low
    offset = x.format.magic + x.format.bias - 1 + lift
    shifted = whole.fma(sign / LN2, offset)
    r = _rest(shifted - offset, x, low, sign)
    reduction = REDUCTIONS[x.size]
    p = reduction.coarse if coarse else reduction.around
    signed = [c * sign ** (k + 1) for k, c in enumerate(p)]
    return polynomial(r, (2.0, *signed)), _factor(shifted)


def factors_range(x: Lanes, lift: int = 0) -> tuple[float, float]:
    """Arguments at which one of the factors is 0 and inf."""
    return (1 - x.format.bias - lift) * LN2, (x.format.bias + 2 - lift) * LN2


def _rest(n: Lanes, x: Lanes, low: Lanes | None, sign: int = 1) -> Lanes:
    """r = x + low - sign n ln 2; its first part is exact."""
    reduction = REDUCTIONS[x.size]
    r = n.fma(-sign * reduction.ln2_high, x)
    if low is None:
        return n.fma(-sign * reduction.ln2_low, r)
    return r + n.fma(-sign * reduction.ln2_low, low)


def _factor(shifted: Lanes) -> Lanes:
    """The power of two whose biased exponent stands in the last bits of `shifted`."""
    bits = shifted.bits()
    places = integers(bits, shifted.format.fraction)
    return shifted.with_bits(shifted.emitter.builder.shl(bits, places))


def exp(x: Lanes) -> Lanes:
    """e^x."""
    return exponential(x.at_least(lowest(x)).at_most(highest(x)))


def sigmoid(x: Lanes) -> Lanes:
    """1 / (1 + e^-x)."""
    if x.reciprocal:
        return _small_sigmoid(x)
    least, most = factors_range(x)
    twice, factor = factors(x.at_least(-most).at_most(-least), negated=True, coarse=True)
    return 1.0 / twice.fma(factor, 1.0)


def _small_sigmoid(x: Lanes) -> Lanes:
    """The same, both sides of the fraction so much smaller that the lower one stays below inf.

    What it is where the result vanishes can then be divided by in the way of `Lanes.over`.
    """
    form = x.format
    lift = -form.fraction - 5
    vanishes = (form.bias + form.fraction + 2) * LN2
    held = x.at_least(-vanishes).at_most(-factors_range(x, lift)[0])
    twice, factor = factors(held, negated=True, lift=lift, coarse=True)
    return x.constant(2.0**lift).over(twice.fma(factor, 2.0**lift))


def silu(x: Lanes) -> Lanes:
    """x / (1 + e^-x); NaN at -inf, as x sigmoid(x) is.

    Both sides of the fraction are made 2^10 times smaller: the result is a normal number where e^-x
    has already overflowed. Beyond 100 it is x.
    """
    least, most = factors_range(x, -LIFT)
    held = x.at_least(-most).at_most(-least)
    twice, factor = factors(held, negated=True, lift=-LIFT, coarse=True)
    small = x / twice.fma(factor, 2.0**-LIFT) * 2.0**-LIFT
    return x.where(x.compare(">", 100.0), small)


INVERSE_HYPERBOLIC_TANGENT = {
    32: (0.666664183, 0.400214314, 0.280031711, 0.280059308),  # relative error 4.5e-9
    64: (  # 1.3e-18
        0.6666666666666631,
        0.40000000000155116,
        0.28571428548118009,
        0.22222223953647391,
        0.18181744479007344,
        0.15386548394671678,
        0.13301121346114467,
        0.12104945220629816,
        0.083449698600264994,
        0.17009760164363654,
    ),
}
"""2 artanh(s) = 2 s + s³ p(s²) for s in [0, 1/3]."""


def softplus(x: Lanes) -> Lanes:
    """log(1 + e^x) = max(x, 0) + log(1 + e), e = e^-|x|, and log(1 + e) = 2 artanh(e / (2 + e)).

    The second term is made 2^10 times larger, so that it vanishes only below the normal numbers.
    """
    twice, factor = factors((-abs(x)).at_least(factors_range(x, LIFT)[0]), lift=LIFT)
    e = twice * factor
    s = e / e.fma(2.0**-LIFT, 2.0)
    squared = s * s * 4.0**-LIFT
    more = (s * squared).fma(polynomial(squared, INVERSE_HYPERBOLIC_TANGENT[x.size]), s + s)
    return more.fma(2.0**-LIFT, x.at_least(0.0))
