from __future__ import annotations

import itertools
import math
import re
from functools import cache

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.backends.cpu.machine import assembly
from cellwise.backends.cpu.target import target
from cellwise.backends.cpu.vector_math import EMIT
from cellwise.backends.emit import EMIT as REFERENCE
from cellwise.graph.build import build, parameter
from cellwise.graph.dimension import Dim
from tests.backends.cpu.forms import PRECISIONS
from tests.backends.cpu.vector_code import (
    ARITY,
    CODES,
    FLUSHING,
    NAMES,
    WIDE,
    Code,
    module_text,
    ulps,
)

MOST_ULPS = 4
"""What every function keeps to, on its whole range, against the exact value."""

CIRCULAR_LIMIT = 2.0**31
"""Beyond, sine and cosine are NaN."""

PRECISE = "exp log sqrt sin cos erf tanh sigmoid softplus silu gelu".split()

EXACT = {
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": lambda a: torch.where(a > 50, a, torch.log1p(torch.exp(a))),
    "silu": lambda a: a * torch.sigmoid(a),
    "gelu": lambda a: 0.5 * a * torch.special.erfc(-a * math.sqrt(0.5)),
}
"""In float64, without the cancellation of 1 + erf."""

MANY_DIGITS = {
    "exp": mpmath.exp,
    "log": lambda a: mpmath.log(a) if a > 0 else mpmath.nan,
    "sqrt": lambda a: mpmath.sqrt(a) if a >= 0 else mpmath.nan,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "erf": mpmath.erf,
    "tanh": mpmath.tanh,
    "sigmoid": lambda a: 1 / (1 + mpmath.exp(-a)),
    "softplus": lambda a: mpmath.log1p(mpmath.exp(a)),
    "silu": lambda a: a / (1 + mpmath.exp(-a)),
    "gelu": lambda a: a * mpmath.erfc(-a / mpmath.sqrt(2)) / 2,
}

SPECIAL = [0.0, 1.0, 0.5, 2.0, 3.0, 6.0, 50.0, 87.0, 100.0, 709.0, 1e30, 1e-30, math.inf]
SPECIAL = [*SPECIAL, *(-value for value in SPECIAL), math.nan]


LEAF = parameter("a", (Dim.of("h"),))


def reference(name, *arguments):
    """The reference back end's value, in the same precision."""
    function = REFERENCE[name](build(name, *[LEAF] * ARITY[name]), {})
    return function(*(torch.from_numpy(a) for a in arguments)).numpy()


def agree(found, wanted):
    """Equal to the bit, any NaN being like another."""
    return (found.view(f"u{found.itemsize}") == wanted.view(f"u{wanted.itemsize}")) | (
        np.isnan(found) & np.isnan(wanted)
    )


def every_exponent(dtype, count):
    """Numbers of either sign and every exponent; no denormals."""
    random = np.random.default_rng(count)
    bits = random.integers(0, 2 ** (8 * dtype.itemsize), count, dtype=f"u{dtype.itemsize}")
    numbers = bits.view(dtype)
    return numbers[(np.abs(numbers) >= np.finfo(dtype).tiny) & np.isfinite(numbers)]


def where_it_matters(dtype, count):
    """Numbers between the function's saturations, and near 0 and 1."""
    random = np.random.default_rng(count)
    parts = [random.normal(size=count) * scale for scale in (1.0, 5.0, 40.0)]
    parts += [random.uniform(-745, 720, count // 2), 1 + random.normal(size=count // 2) / 4]
    return np.concatenate(parts).astype(dtype)


def inside(name, x):
    """Those for which the function promises a value."""
    return x[np.abs(x) <= CIRCULAR_LIMIT] if name in ("sin", "cos") else x


def test_every_elementwise_operation_has_a_row():
    assert list(EMIT) == NAMES


@pytest.mark.parametrize("name", PRECISE)
@pytest.mark.parametrize("code", [c for c in [*CODES, *FLUSHING] if c.precision == "f32"], ids=str)
def test_float32_is_within_four_ulps(name, code):
    count = 60_000 if code.lanes == 1 else 250_000
    x = np.concatenate([every_exponent(code.dtype, 2 * count), where_it_matters(code.dtype, count)])
    x = inside(name, x)
    exact = EXACT[name](torch.from_numpy(x.astype(np.float64))).numpy()
    error = ulps(code(name, x), exact)
    assert error.max() <= MOST_ULPS, x[error.argmax()]


@cache
def many_digits(name):
    """Arguments in float64, and the values there as sums of two numbers."""
    double = np.dtype(np.float64)
    x = np.concatenate([every_exponent(double, 700), where_it_matters(double, 400)])
    x = inside(name, x) if name in ("log", "sqrt") else x[np.abs(x) < 1e4]
    if name in ("sin", "cos"):
        zeros = np.arange(1.0, 2**31, 2**24 + 1) * (math.pi / 2)  # next to zeros of both
        x = np.concatenate([x, zeros[zeros <= CIRCULAR_LIMIT]])
    with mpmath.workdps(40):
        values = [MANY_DIGITS[name](mpmath.mpf(a)) for a in x]
        high = np.array([math.inf if abs(v) > 1.79e308 else float(v) for v in values])
        pairs = zip(values, high, strict=True)
        low = np.array([float(v - h) if math.isfinite(h) else 0.0 for v, h in pairs])
    return x, high, low


@pytest.mark.parametrize("name", PRECISE)
@pytest.mark.parametrize("code", [c for c in [*CODES, *FLUSHING] if c.precision == "f64"], ids=str)
def test_float64_is_within_four_ulps(name, code):
    x, high, low = many_digits(name)
    error = ulps(code(name, x), high, low)
    assert error.max() <= MOST_ULPS, x[error.argmax()]


@pytest.mark.parametrize("name", sorted({*NAMES} - {*PRECISE, "pow"}))
@pytest.mark.parametrize("code", CODES, ids=str)
def test_what_needs_no_approximation_agrees_to_the_bit(name, code):
    pairs = np.array([*itertools.product(SPECIAL, SPECIAL)], code.dtype).T
    few = [np.append(a, where_it_matters(code.dtype, 999)[k:-2]) for k, a in enumerate(pairs)]
    few = [a[: min(map(len, few))] for a in few][: ARITY[name]]
    same = agree(code(name, *few), reference(name, *few))
    if name in ("maximum", "minimum"):  # torch itself does not keep the sign of a zero here
        same |= (few[0] == 0) & (few[1] == 0)
    assert same.all(), [a[~same][:5] for a in few]


@pytest.mark.parametrize("name", PRECISE)
@pytest.mark.parametrize("code", [*CODES, *FLUSHING], ids=str)
def test_special_values_are_the_references(name, code):
    x = inside(name, np.array(SPECIAL, code.dtype))
    x = np.append(x, [math.inf, -math.inf, math.nan]).astype(code.dtype)
    found, wanted = code(name, x), reference(name, x)
    number = ~np.isnan(wanted)
    assert (np.isnan(found) == np.isnan(wanted)).all(), x
    assert (np.isinf(found) == np.isinf(wanted)).all(), x
    assert (np.signbit(found) == np.signbit(wanted))[number].all(), x
    saturated = number & ((np.abs(wanted) == 1) | np.isinf(wanted) | (x == 0))
    assert (found == wanted)[saturated].all(), x


@pytest.mark.parametrize("code", CODES, ids=str)
def test_denormal_arguments_have_logarithms(code):
    x = np.finfo(code.dtype).tiny * np.linspace(0.001, 1, 999, dtype=code.dtype)
    exact = np.log(x.astype(np.float64))
    assert ulps(code("log", x), exact).max() <= MOST_ULPS


@pytest.mark.parametrize("code", CODES, ids=str)
def test_values_stay_in_their_ranges(code):
    x = np.concatenate([every_exponent(code.dtype, 50_000), where_it_matters(code.dtype, 20_000)])
    for name in ("tanh", "erf", "sin", "cos"):
        assert np.nanmax(np.abs(code(name, x))) <= 1, name
    assert code("sigmoid", x).min() >= 0
    assert code("sigmoid", x).max() <= 1


@pytest.mark.parametrize("code", WIDE, ids=str)
def test_sine_and_cosine_are_accurate_next_to_their_zeros_and_nan_far_away(code):
    n = np.arange(1, 2**31 * 2 / math.pi, 2**13 + 1)
    x = (n * (math.pi / 2)).astype(code.dtype)
    for name in ("sin", "cos"):
        exact = EXACT[name](torch.from_numpy(x.astype(np.float64))).numpy()
        assert ulps(code(name, x), exact).max() <= MOST_ULPS
    far = np.array([2.0**31 * 1.01, -1e30, math.inf], code.dtype)
    assert np.isnan(code("sin", far)).all()
    assert np.isnan(code("cos", far)).all()


ODD_POWERS = [2.0**24 - 1, 2.0**53 - 1, 2.0**53, 2.5, 1 / 3, 1 + 2.0**-23, 5e-324, 1e300]
BASES = [*SPECIAL, *ODD_POWERS, *(-value for value in ODD_POWERS)]


@pytest.mark.parametrize("code", CODES, ids=str)
def test_every_special_case_of_a_power_is_the_references(code):
    with np.errstate(over="ignore", under="ignore"):
        a, b = np.array([*itertools.product(BASES, BASES)]).astype(code.dtype).T.copy()
    found, wanted = code("pow", a, b), reference("pow", a, b)
    error = ulps(found, wanted.astype(np.float64))
    assert error.max() <= MOST_ULPS, (a[error.argmax()], b[error.argmax()])
    number = ~np.isnan(wanted)
    assert (np.signbit(found) == np.signbit(wanted))[number].all()


@pytest.mark.parametrize("code", [*CODES, *FLUSHING], ids=str)
def test_powers_are_within_four_ulps(code):
    random, most = np.random.default_rng(0), 80 if code.precision == "f32" else 700
    logarithms = random.uniform(-1, 1, 3000) * np.repeat([most, 1.0, 1e-6], 1000)
    a = np.exp(logarithms).astype(code.dtype)
    with np.errstate(divide="ignore"):
        b = random.uniform(-most, most, 3000) / np.log(a.astype(np.float64))
    b = np.where(np.isfinite(b), b, 1.0).astype(code.dtype)
    with mpmath.workdps(40):
        values = [mpmath.mpf(float(u)) ** mpmath.mpf(float(v)) for u, v in zip(a, b, strict=True)]
        high = np.array([float(v) for v in values])
        low = np.array([float(v - h) for v, h in zip(values, high, strict=True)])
    assert ulps(code("pow", a, b), high, low).max() <= MOST_ULPS


numbers = st.floats(width=32) | st.sampled_from(SPECIAL)


@given(st.data(), st.sampled_from(WIDE), st.sampled_from(NAMES))
def test_lanes_do_not_influence_each_other(data, code, name):
    columns = st.lists(numbers, min_size=code.lanes, max_size=code.lanes)
    arguments = [np.array(data.draw(columns), code.dtype) for _ in range(ARITY[name])]
    together = code(name, *arguments)
    for lane in range(code.lanes):
        alone = code(name, *(np.full(code.lanes, a[lane]) for a in arguments))
        assert agree(together, alone)[lane]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["avx512", "avx2", "sse2", "neon"])
def test_no_call_remains_for_any_number_of_lanes(name, precision):
    on = target(name)
    for lanes in {1, 3, on.lanes(precision)}:
        text = assembly(module_text(Code(on, precision, lanes)), on)[1]
        assert "exp:" in text
        assert not re.search(r"^\s+(call\w?|blr?|jmp\s+\w+@)\s", text, re.MULTILINE)
