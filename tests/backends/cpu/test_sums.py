from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.backends.cpu.sums import N_ROWS
from tests.backends.cpu.forms import (
    FORMS,
    any_numbers,
    call,
    forms,
    guarded,
    name_of,
    seeds,
    whole_numbers,
)

sizes = st.one_of(st.integers(0, 9), st.integers(0, 3 * N_ROWS))
columns = st.one_of(st.integers(0, 9), st.integers(0, 200))


@given(st.data(), forms, sizes, columns, seeds)
def test_sums_of_rows_are_exact(data, form, n_rows, n, seed):
    a = whole_numbers(form, seed, n_rows, n + data.draw(st.integers(0, 3)))
    out = guarded(form, n + 1)
    expected = out.copy()
    expected[:n] = a[:, :n].sum(0)
    call(form, "sum_rows", a, a.shape[1], n_rows, n, out)
    np.testing.assert_array_equal(out, expected)


@given(st.data(), forms, sizes, columns, seeds)
def test_sums_of_products_are_exact(data, form, n_rows, n, seed):
    a = whole_numbers(form, seed, n_rows, n + data.draw(st.integers(0, 3)))
    b = whole_numbers(form, seed + 1, n_rows, n + data.draw(st.integers(0, 3)))
    out = guarded(form, n + 1)
    expected = out.copy()
    expected[:n] = (a[:, :n] * b[:, :n]).sum(0)
    second = b, b.shape[1], None, 0, None
    call(form, "sum_rows_product", a, a.shape[1], *second, n_rows, n, out)
    np.testing.assert_array_equal(out, expected)


@given(forms, sizes, columns, seeds)
def test_rows_of_the_second_factor_are_gathered(form, n_rows, n, seed):
    a = whole_numbers(form, seed, n_rows, n)
    b, edge = whole_numbers(form, seed + 1, 7, n + 2), whole_numbers(form, seed + 2, 3, n + 1)
    index = np.random.default_rng(seed).integers(-3, 7, n_rows)
    out = guarded(form, n)
    rows = np.where(index[:, None] >= 0, b[index, :n], edge[-1 - index.clip(max=-1), :n])
    second = b, n + 2, edge, n + 1, index
    call(form, "sum_rows_product", a, n, *second, n_rows, n, out)
    np.testing.assert_array_equal(out, (a * rows).sum(0))


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_rounding_errors_do_not_grow_with_the_number_of_rows(form):
    n_rows, n = 100 * N_ROWS, form.lanes + 1
    a = np.abs(any_numbers(form, 0, n_rows, n))
    out = guarded(form, n)
    call(form, "sum_rows", a, n, n_rows, n, out)
    exact = a.astype(np.longdouble).sum(0)
    bound = (N_ROWS + n_rows // N_ROWS) * np.finfo(out.dtype).eps * exact
    assert np.all(np.abs(out - exact) <= bound)
