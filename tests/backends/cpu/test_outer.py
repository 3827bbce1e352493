from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cellwise.backends.cpu.blocking import Blocking
from tests.backends.cpu.forms import (
    FORMS,
    GUARD,
    any_numbers,
    call,
    code,
    forms,
    guarded,
    name_of,
    seeds,
    whole_numbers,
)

rows = st.one_of(st.integers(0, 9), st.integers(0, 600))
sizes = st.one_of(st.integers(1, 9), st.integers(1, 150))


def sum_outer(form, a, second, n_rows, n_b, out, *, first=0, last=None):
    """Calls it with as much scratch as it asks for, one number off a line, and looks behind it."""
    room = code(form).scratch_items(n_b)
    scratch = guarded(form, room + 2)
    last = a.shape[1] if last is None else last
    factors = a, a.shape[1], first, last, *second
    call(form, "sum_outer", *factors, n_rows, n_b, out, out.shape[1], scratch[1:])
    assert scratch[0] == GUARD and scratch[-1] == GUARD


@given(st.data(), forms, rows, sizes, sizes, seeds)
@example(None, FORMS[0], 513, 145, 33, 0)
def test_sums_of_outer_products_are_exact(data, form, n_rows, n_a, n_b, seed):
    first = data.draw(st.integers(0, n_a)) if data else 0
    last = data.draw(st.integers(first, n_a)) if data else n_a
    a = whole_numbers(form, seed, n_rows, n_a)
    b = whole_numbers(form, seed + 1, n_rows, n_b + 2)
    out = guarded(form, n_a, n_b + 1)
    expected = out.copy()
    expected[first:last, :n_b] = a[:, first:last].T @ b[:, :n_b]
    sum_outer(form, a, (b, n_b + 2, None, 0, None), n_rows, n_b, out, first=first, last=last)
    np.testing.assert_array_equal(out, expected)


@given(forms, rows, sizes, sizes, seeds)
def test_rows_of_the_second_factor_are_gathered(form, n_rows, n_a, n_b, seed):
    a = whole_numbers(form, seed, n_rows, n_a)
    b, edge = whole_numbers(form, seed + 1, 7, n_b + 2), whole_numbers(form, seed + 2, 3, n_b + 1)
    index = np.random.default_rng(seed).integers(-3, 7, n_rows)
    gathered = np.where(index[:, None] >= 0, b[index, :n_b], edge[-1 - index.clip(max=-1), :n_b])
    out = guarded(form, n_a, n_b)
    sum_outer(form, a, (b, n_b + 2, edge, n_b + 1, index), n_rows, n_b, out)
    np.testing.assert_array_equal(out, a.T @ gathered)


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_a_range_of_columns_has_the_bits_of_the_whole(form):
    n_rows, n_a, n_b = 300, 150, 20
    a, b = any_numbers(form, 0, n_rows, n_a), any_numbers(form, 1, n_rows, n_b)
    whole, parts = guarded(form, n_a, n_b), guarded(form, n_a, n_b)
    second = b, n_b, None, 0, None
    sum_outer(form, a, second, n_rows, n_b, whole)
    for first, last in ((0, 7), (7, 133), (133, n_a)):
        sum_outer(form, a, second, n_rows, n_b, parts, first=first, last=last)
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_rounding_errors_do_not_grow_with_the_number_of_rows(form):
    block = Blocking(form).n_rows
    n_rows, n_a, n_b = 40 * block, 3, 5
    a, b = (np.abs(any_numbers(form, s, n_rows, n)) for s, n in enumerate((n_a, n_b)))
    out = guarded(form, n_a, n_b)
    sum_outer(form, a, (b, n_b, None, 0, None), n_rows, n_b, out)
    exact = a.astype(np.longdouble).T @ b.astype(np.longdouble)
    bound = (block + 1 + n_rows // block) * np.finfo(out.dtype).eps * exact
    assert np.all(np.abs(out - exact) <= bound)
