from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.cpu.forms import any_numbers, call, forms, guarded, seeds

counts = st.integers(0, 12)
widths = st.one_of(st.integers(0, 9), st.integers(0, 70))


@given(forms, counts, widths, seeds)
def test_rows_are_taken_by_their_numbers(form, n_rows, n, seed):
    rows = any_numbers(form, seed, 9, n)
    index = np.random.default_rng(seed).integers(0, 9, n_rows)
    out = guarded(form, n_rows + 1, n)
    expected = out.copy()
    expected[:n_rows] = rows[index]
    call(form, "take_rows", out, rows, index, n_rows, n)
    np.testing.assert_array_equal(out, expected)


@given(st.data(), forms, counts, widths, seeds)
def test_rows_are_added_by_their_numbers(data, form, n_rows, n, seed):
    rows, out = any_numbers(form, seed, n_rows, n), any_numbers(form, seed + 1, n_rows + 3, n)
    index = np.array(data.draw(st.permutations(range(n_rows + 3)))[:n_rows], dtype=np.int64)
    expected = out.copy()
    expected[index] += rows
    call(form, "add_rows", out, rows, index, n_rows, n)
    np.testing.assert_array_equal(out, expected)


@given(forms, st.integers(0, 300))
def test_numbers_are_cleared_up_to_the_last(form, n):
    out = guarded(form, n + 3)
    expected = out.copy()
    expected[:n] = 0
    call(form, "clear_rows", out, n)
    np.testing.assert_array_equal(out, expected)
