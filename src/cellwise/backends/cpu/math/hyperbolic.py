"""The hyperbolic tangent.

x = n ln 2 / 2 + r with |r| <= ln 2 / 4, and by the addition theorem, with s = 2^n and y = tanh r,

    tanh x = (s - 1 + (s + 1) y) / (s + 1 + (s - 1) y).

y needs a short odd polynomial only, nothing cancels, the relative accuracy holds down to 0, and the
quotient never exceeds 1: its denominator is at least its numerator, rounded too.
"""

from __future__ import annotations

from cellwise.backends.cpu.math.exponential import LN2
from cellwise.backends.cpu.math.lanes import Lanes, integers, polynomial

NEAR_ZERO = {
    32: (1.0, -0.333312729, 0.13110671),  # relative error 5.5e-8
    64: (  # 3.7e-18
        1.0,
        -0.3333333333333211,
        0.13333333332681084,
        -0.053968252663130828,
        0.021869364063362969,
        -0.0088571307278615982,
        0.0034430083401509349,
    ),
}
"""tanh r = r p(r²): minimax for the relative error, by Remez exchange with 45 digits."""


def tanh(x: Lanes) -> Lanes:
    """The hyperbolic tangent; ±1 as soon as that is the nearest number."""
    form, builder = x.format, x.emitter.builder
    bound = (form.fraction + 4) * LN2 / 2  # beyond, s ± 1 is s
    held = x.at_least(-bound).at_most(bound)
    shifted = held.fma(2 / LN2, form.magic + form.bias)
    n = shifted - (form.magic + form.bias)
    r = n.fma(-LN2 / 2, held)  # its error counts less and less as n grows
    y = r * polynomial(r * r, NEAR_ZERO[x.size])
    bits = shifted.bits()
    s = x.with_bits(builder.shl(bits, integers(bits, form.fraction)))
    more, less = s + 1.0, 1.0 - s
    # minus `less`, not plus (s - 1): at x = -0 the sum of -0 and -0 is -0
    quotient = more.fma(y, -less).over((-less).fma(y, more))
    return quotient.signed_as(x) if x.reciprocal else quotient
