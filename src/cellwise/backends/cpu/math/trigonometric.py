"""Sine and cosine.

x = n π/2 + r with |r| <= π/4, in float64 for either precision. π/2 is a sum of parts of 22 bits,
whose products with n are exact for |x| <= 2^31, and a rest; so the relative accuracy holds next to
the zeros too. (In float64, with an absolute error of about 1e-27 on top.) Beyond 2^31 the result is
NaN, not a wrong number. The polynomials are minimax for the relative error, found by Remez exchange
with 45 digits.
"""

from __future__ import annotations

from math import nan, pi

from cellwise.backends.cpu.math.lanes import Lanes, integers, polynomial

LIMIT = 2.0**31
"""No sine or cosine is known beyond."""

HALF_PI = {
    32: (
        float.fromhex("0x1.921fbp+0"),
        float.fromhex("0x1.5110bp-22"),
        float.fromhex("0x1.18469898cc517p-44"),
    ),
    64: (
        float.fromhex("0x1.921fbp+0"),
        float.fromhex("0x1.5110bp-22"),
        float.fromhex("0x1.184698p-44"),
        float.fromhex("0x1.3198a2e037073p-69"),
    ),
}
"""Its parts, the largest first."""

SINE = {
    32: (1.0, -0.16666654601991809, 0.0083321601709544391, -0.00019515196413527413),  # 3.8e-9
    64: (  # 3.6e-18
        1.0,
        -0.16666666666666630674,
        0.0083333333333221042594,
        -0.0001984126982957760931,
        2.7557313617098265954e-6,
        -2.505074706953874061e-8,
        1.5896188757240016973e-10,
    ),
}
"""sin(r) = r p(r²)."""

COSINE = {
    32: (  # 1.2e-10
        1.0,
        -0.5,
        0.041666645666633385,
        -0.0013887315441483639,
        0.000024433062299126410,
    ),
    64: (  # 5.6e-20
        1.0,
        -0.5,
        0.041666666666666592808,
        -0.0013888888888873035992,
        0.000024801587288838583624,
        -2.7557314175404580085e-7,
        2.0875700299663473652e-9,
        -1.1358507781584049695e-11,
    ),
}
"""cos(r) = p(r²)."""


def sin(x: Lanes) -> Lanes:
    """The sine."""
    return _sine(x, 0)


def cos(x: Lanes) -> Lanes:
    """The cosine."""
    return _sine(x, 1)


def _sine(x: Lanes, quarters: int) -> Lanes:
    """sin(x + quarters π/2)."""
    builder = x.emitter.builder
    whole = x.widened()
    shifted = whole.fma(2 / pi, whole.format.magic)
    n = shifted - whole.format.magic
    rest = whole.where(abs(whole).compare("<=", LIMIT), nan)
    for part in HALF_PI[x.size]:
        rest = n.fma(-part, rest)
    n_bits = builder.add(shifted.bits(), integers(shifted.bits(), quarters))
    if x.size == 32:
        n_bits = builder.trunc(n_bits, x.bits().type)
    return _turned(rest.as_wide_as(x), n_bits)


def _turned(r: Lanes, n_bits: object) -> Lanes:
    """sin(r + n π/2), from the last bits of n."""
    builder, squared = r.emitter.builder, r * r
    odd = builder.and_(n_bits, integers(n_bits, 1))
    odd = builder.icmp_unsigned("!=", odd, integers(n_bits, 0))
    cosine = polynomial(squared, COSINE[r.size])
    either = cosine.where(odd, r * polynomial(squared, SINE[r.size]))
    minus = builder.and_(n_bits, integers(n_bits, 2))
    minus = builder.shl(minus, integers(n_bits, r.size - 2))
    return r.with_bits(builder.xor(either.bits(), minus))
