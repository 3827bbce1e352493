"""The logarithm.

x = 2^e m with m in [√½, √2), and log m = 2 artanh(s), s = (m - 1) / (m + 1). The order of the last
sums is that of fdlibm's `e_log.c` (Sun Microsystems, 1993); the polynomial is our own: minimax for
the relative error, by Remez exchange with 45 digits.
"""

from __future__ import annotations

from math import inf, nan, sqrt

from cellwise.backends.cpu.math.exponential import REDUCTIONS
from cellwise.backends.cpu.math.lanes import Lanes, integers, polynomial

ARTANH = {
    32: (0.66666776072453217, 0.39977573757072584, 0.29870965940961344),  # relative error 8.0e-10
    64: (  # 1.2e-18
        0.66666666666667341607,
        0.39999999999416332675,
        0.28571428742025296453,
        0.22222198609680107884,
        0.18183562467224672124,
        0.15314097134000496989,
        0.14795493247218301088,
    ),
}
"""2 artanh(s) = 2 s + s³ p(s²) for |s| <= 0.1716."""


def split(x: Lanes) -> tuple[Lanes, Lanes]:
    """e, a whole number, and m, of x = 2^e m, for x > 0 and finite.

    The bits of x, moved by the distance of 1 from √½, carry e in the exponent and m - √½ in the
    rest. e becomes a number as the last bits of 2^fraction + e. Numbers below the normal ones are
    scaled.
    """
    form, builder = x.format, x.emitter.builder
    lift, whole = form.fraction + 2, 2.0**form.fraction
    tiny = x.compare("<", form.least)
    bits = (x * 2.0**lift).where(tiny, x).bits()
    root = form.bits(sqrt(0.5))
    moved = builder.add(bits, integers(bits, form.bits(1.0) - root))
    exponent = builder.lshr(moved, integers(bits, form.fraction))
    rest = builder.and_(moved, integers(bits, 2**form.fraction - 1))
    m = x.with_bits(builder.add(rest, integers(bits, root)))
    above = x.with_bits(builder.or_(exponent, integers(bits, form.bits(whole))))
    return above - x.constant(whole + form.bias + lift).where(tiny, whole + form.bias), m


def log(x: Lanes) -> Lanes:
    """The natural logarithm; -inf at zeros of either sign, NaN below."""
    e, m = split(x)
    reduction = REDUCTIONS[x.size]
    f = m - 1.0
    s = f / (f + 2.0)
    squared, half = s * s, f * f * 0.5
    more = half + squared * polynomial(squared, ARTANH[x.size])
    less = half - s.fma(more, e * reduction.ln2_low)
    result = e.fma(reduction.ln2_high, f - less)
    outside = x.constant(-inf).where(x.compare("==", 0.0), nan)
    return result.where(x.compare("<", inf), x).where(x.compare(">", 0.0), outside)
