from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cellwise.backends.cpu.blocking import Blocking, pieces
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


def sum_outer(form, a, seconds, n_rows, outs, *, first=0, last=None):
    """Calls what sums the columns, each piece with as much scratch as it asks for, off a line.

    The first factor is the same for all of `seconds`, (b, ldb, edge, ld_edge, index, n_b) each.
    """
    room = Blocking(form).scratch_items(*[second[-1] for second in seconds])
    scratch = guarded(form, room + 2)
    last = a.shape[1] if last is None else last
    factor = a, a.shape[1], first, last
    cut = [
        (piece, second, out)
        for second, out in zip(seconds, outs, strict=True)
        for piece in pieces(form, second[-1])
    ]
    packed = np.array([moved(*found) for found in cut if found[0].packed], dtype=np.int64)
    call(form, "sum_wide", *factor, packed, len(packed), n_rows, scratch[1:], products(form))
    for piece, second, out in cut:
        if not piece.packed:
            *rest, n_b, place, stride = moved(piece, second, out)
            call(form, "sum_narrow", *factor, *rest, n_rows, n_b, place, stride, scratch[1:])
    assert scratch[0] == GUARD and scratch[-1] == GUARD


@cache
def products(form):
    """The addresses of the microkernels, by vectors and rows."""
    cut = Blocking(form)
    names = [
        f"product_{n_vectors}_{n_rows}"
        for n_vectors in range(1, cut.n_vectors + 1)
        for n_rows in range(1, cut.most_rows + 1)
    ]
    return np.array([code(form).address(name) for name in names], dtype=np.int64)


def moved(piece, second, out):
    """The numbers that describe a piece of a second factor, and where its sums go."""
    b, ldb, edge, ld_edge, index, _ = second
    item = out.itemsize * piece.start
    place = [0 if array is None else array.ctypes.data + item for array in (b, edge, out)]
    index = 0 if index is None else index.ctypes.data
    return [place[0], ldb, place[1], ld_edge, index, piece.n_columns, place[2], out.shape[1]]


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
    second = b, n_b + 2, None, 0, None, n_b
    sum_outer(form, a, [second], n_rows, [out], first=first, last=last)
    np.testing.assert_array_equal(out, expected)


@given(forms, rows, sizes, sizes, seeds)
def test_rows_of_the_second_factor_are_gathered(form, n_rows, n_a, n_b, seed):
    a = whole_numbers(form, seed, n_rows, n_a)
    b, edge = whole_numbers(form, seed + 1, 7, n_b + 2), whole_numbers(form, seed + 2, 3, n_b + 1)
    index = np.random.default_rng(seed).integers(-3, 7, n_rows)
    gathered = np.where(index[:, None] >= 0, b[index, :n_b], edge[-1 - index.clip(max=-1), :n_b])
    out = guarded(form, n_a, n_b)
    sum_outer(form, a, [(b, n_b + 2, edge, n_b + 1, index, n_b)], n_rows, [out])
    np.testing.assert_array_equal(out, a.T @ gathered)


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_a_range_of_columns_has_the_bits_of_the_whole(form):
    n_rows, n_a, n_b = 300, 150, 107
    a, b = any_numbers(form, 0, n_rows, n_a), any_numbers(form, 1, n_rows, n_b)
    whole, parts = guarded(form, n_a, n_b), guarded(form, n_a, n_b)
    second = b, n_b, None, 0, None, n_b
    sum_outer(form, a, [second], n_rows, [whole])
    for first, last in ((0, 7), (7, 133), (133, n_a)):
        sum_outer(form, a, [second], n_rows, [parts], first=first, last=last)
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_rounding_errors_do_not_grow_with_the_number_of_rows(form):
    block = Blocking(form).n_rows
    n_rows, n_a, n_b = 40 * block, 3, 5
    a, b = (np.abs(any_numbers(form, s, n_rows, n)) for s, n in enumerate((n_a, n_b)))
    out = guarded(form, n_a, n_b)
    sum_outer(form, a, [(b, n_b, None, 0, None, n_b)], n_rows, [out])
    exact = a.astype(np.longdouble).T @ b.astype(np.longdouble)
    bound = (block + 1 + n_rows // block) * np.finfo(out.dtype).eps * exact
    assert np.all(np.abs(out - exact) <= bound)


@given(forms, rows, sizes, st.lists(sizes, min_size=2, max_size=3), seeds)
def test_sums_with_the_same_first_factor_are_made_together(form, n_rows, n_a, counts, seed):
    a = whole_numbers(form, seed, n_rows, n_a)
    bs = [whole_numbers(form, seed + n, n_rows, count) for n, count in enumerate(counts, 1)]
    outs = [guarded(form, n_a, count + 1) for count in counts]
    expected = [out.copy() for out in outs]
    for out, b, count in zip(expected, bs, counts, strict=True):
        out[:, :count] = a.T @ b
    seconds = [(b, count, None, 0, None, count) for b, count in zip(bs, counts, strict=True)]
    sum_outer(form, a, seconds, n_rows, outs)
    for out, wanted in zip(outs, expected, strict=True):
        np.testing.assert_array_equal(out, wanted)


@given(forms, st.integers(1, 2000))
def test_pieces_are_all_columns_once_and_fill_their_panels(form, n_b):
    at, lanes = 0, form.lanes
    for piece in pieces(form, n_b):
        assert piece.start == at and piece.n_columns > 0
        assert piece.packed or piece.n_columns <= (2 if at else lanes / 2)
        at += piece.n_columns
    assert at == n_b
