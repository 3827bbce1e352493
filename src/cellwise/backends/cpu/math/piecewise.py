"""Functions made of comparisons, as torch defines them at NaN and at zeros of either sign."""

from __future__ import annotations

from cellwise.backends.cpu.math.lanes import Lanes


def sign(x: Lanes) -> Lanes:
    """-1, 0 or 1; 0 at NaN."""
    positive = x.constant(1.0).where(x.compare(">", 0.0), 0.0)
    return x.constant(-1.0).where(x.compare("<", 0.0), positive)


def step(x: Lanes) -> Lanes:
    """1 where x > 0, else 0; 0 at NaN."""
    return x.constant(1.0).where(x.compare(">", 0.0), 0.0)


def relu(x: Lanes) -> Lanes:
    """The positive part; -0 stays."""
    return x.constant(0.0).where(x.compare("<", 0.0), x)


def hard_sigmoid(x: Lanes) -> Lanes:
    """x + 3 between 0 and 6, over 6."""
    return (x + 3.0).at_least(0.0).at_most(6.0) / 6.0


def hard_tanh(x: Lanes) -> Lanes:
    """The number of [-1, 1] that is nearest to x."""
    return x.at_least(-1.0).at_most(1.0)


def maximum(a: Lanes, b: Lanes) -> Lanes:
    """The larger one; NaN if either is."""
    return a.where(a.is_nan(), a.where(a.compare(">", b), b))


def minimum(a: Lanes, b: Lanes) -> Lanes:
    """The smaller one; NaN if either is."""
    return a.where(a.is_nan(), a.where(a.compare("<", b), b))


def greater(a: Lanes, b: Lanes) -> Lanes:
    """1 where a > b, 1/2 where they are equal, else 0."""
    ties = a.constant(0.5).where(a.compare("==", b), 0.0)
    return a.constant(1.0).where(a.compare(">", b), ties)
