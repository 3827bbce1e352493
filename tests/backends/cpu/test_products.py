from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import ir

from cellwise.backends.cpu.listing import tallies
from cellwise.backends.cpu.machine import assembly
from cellwise.backends.cpu.products import emit_products
from cellwise.backends.cpu.registers import N_VECTORS, Form, block_sizes, steps_at_once, streams
from cellwise.backends.cpu.target import target
from tests.backends.cpu.forms import (
    FORMS,
    PRECISIONS,
    addresses,
    any_numbers,
    call,
    forms,
    guarded,
    name_of,
    seeds,
    whole_numbers,
)

TARGETS = ("avx512", "avx2", "sse2", "neon")
widths = st.sampled_from(N_VECTORS)


@given(st.data(), forms, widths, seeds)
def test_a_product_is_exact_and_writes_nothing_else(data, form, n_vectors, seed):
    m = data.draw(st.sampled_from(block_sizes(form.target, n_vectors)))
    count = data.draw(st.integers(0, 40))
    gap, row_gap, accumulate = (data.draw(st.integers(0, n)) for n in (3, 5, 1))
    rows = whole_numbers(form, seed, m, count)
    panel = whole_numbers(form, seed + 1, count, n_vectors, form.lanes)
    out = guarded(form, m, n_vectors * (form.lanes + gap) + row_gap)
    expected = out.copy()
    for v in range(n_vectors):
        part = expected[:, v * (form.lanes + gap) :][:, : form.lanes]
        part[:] = accumulate * part + rows @ panel[:, v]
    sizes = out.shape[1], form.lanes + gap
    name = f"product_{n_vectors}_{m}"
    call(form, name, addresses(rows), count, panel, out, *sizes, accumulate)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("n_vectors", N_VECTORS)
@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_a_product_that_fetches_ahead_is_the_same(form, n_vectors):
    width, count = n_vectors * form.lanes, 37
    rows, panel = any_numbers(form, 1, 12, count), any_numbers(form, 2, count, width)
    for m in block_sizes(form.target, n_vectors):
        near, ahead = guarded(form, m, width), guarded(form, m, width)
        factors = addresses(rows[:m]), count, panel
        call(form, f"product_{n_vectors}_{m}", *factors, near, width, form.lanes, 0)
        # What it fetches need not be anybody's memory.
        call(form, f"ahead_{n_vectors}_{m}", *factors, ahead, width, form.lanes, 0, None)
        np.testing.assert_array_equal(ahead, near)


STREAMS = [
    (form, n_vectors, m)
    for form in FORMS
    for n_vectors in N_VECTORS
    for m in (1, 2)
    if streams(form.target, n_vectors, m) > 1
]


@given(st.data(), st.sampled_from(STREAMS), seeds)
def test_a_stream_is_exact_and_writes_nothing_else(data, chosen, seed):
    form, n_vectors, m = chosen
    s = streams(form.target, n_vectors, m)
    count = data.draw(st.integers(0, 40))
    gap, panel_gap, accumulate = (data.draw(st.integers(0, n)) for n in (3, 5, 1))
    rows = whole_numbers(form, seed, m, count)
    width = n_vectors * form.lanes
    panels = whole_numbers(form, seed + 1, s, count * width + panel_gap)
    out = guarded(form, m, s, width + gap)
    expected = out.copy()
    for i in range(s):
        part = expected[:, i, :width]
        panel = panels[i, : count * width].reshape(count, width)
        part[:] = accumulate * part + rows @ panel
    strides = s * (width + gap), form.lanes, panels.shape[1], width + gap
    name = f"stream_{n_vectors}_{m}"
    call(form, name, addresses(rows), count, panels, out, *strides, accumulate)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("n_vectors", N_VECTORS)
@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_a_row_has_the_same_bits_whatever_is_computed_beside_it(form, n_vectors):
    width, count = n_vectors * form.lanes, 67
    rows = any_numbers(form, 1, 12, count)
    panel = any_numbers(form, 2, count, width)
    alone = guarded(form, 12, width)
    for row, out in zip(rows, alone, strict=True):
        call(
            form,
            f"product_{n_vectors}_1",
            addresses(row[None]),
            count,
            panel,
            out,
            0,
            form.lanes,
            0,
        )
    for m in block_sizes(form.target, n_vectors):
        out = guarded(form, m, width)
        name = f"product_{n_vectors}_{m}"
        call(form, name, addresses(rows[:m]), count, panel, out, width, form.lanes, 0)
        np.testing.assert_array_equal(out, alone[:m])
    for m in (1, 2):
        if (s := streams(form.target, n_vectors, m)) > 1:
            out = guarded(form, s, m, width)
            strides = width, form.lanes, 0, m * width  # every panel is the same
            name = f"stream_{n_vectors}_{m}"
            call(form, name, addresses(rows[:m]), count, panel, out, *strides, 0)
            np.testing.assert_array_equal(out, np.broadcast_to(alone[:m], out.shape))


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_rounding_errors_stay_below_their_bound(form):
    rows, panel = any_numbers(form, 3, 1, 300), any_numbers(form, 4, 300, form.lanes)
    out = guarded(form, 1, form.lanes)
    call(form, "product_1_1", addresses(rows), 300, panel, out, 0, 0, 0)
    exact = rows.astype(np.longdouble) @ panel.astype(np.longdouble)
    bound = 301 * np.finfo(out.dtype).eps * (np.abs(rows) @ np.abs(panel))
    assert np.all(np.abs(out - exact) <= bound)


@pytest.mark.parametrize("name", TARGETS)
def test_any_number_of_rows_is_covered_by_few_blocks(name):
    for n_vectors in N_VECTORS:
        sizes = block_sizes(target(name), n_vectors)
        assert sizes == tuple(sorted(set(sizes), reverse=True)) and sizes[-1] == 1
        for n_rows in range(1, 65):
            left, n_calls = n_rows, 0
            for m in sizes:
                n_calls += left // m
                left %= m
            assert left == 0 and n_calls <= n_rows // sizes[0] + 2


@pytest.mark.parametrize("name", TARGETS)
def test_streams_are_for_one_or_two_rows(name):
    for n_vectors in N_VECTORS:
        assert streams(target(name), n_vectors, 1) > 1
        assert streams(target(name), n_vectors, 3) == 1


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", TARGETS)
def test_loops_over_k_begin_at_a_line_and_do_not_touch_the_stack(name, precision):
    on = target(name)
    for shift in (0, 1):
        module = ir.Module()
        module.triple = on.triple
        emit_products(module, Form(on, precision, on.lanes(precision) >> shift))
        text = assembly(str(module), on, level=0)[1]
        loops = [t for t in tallies(text, on) if t.loop]
        n_products = sum(len(block_sizes(on, n)) for n in N_VECTORS)
        n_streams = sum(streams(on, n, m) > 1 for n in N_VECTORS for m in (1, 2))
        n_functions = n_products + n_streams
        # Several steps at a time, then the rest of them.
        assert len(loops) == n_functions * (2 if steps_at_once(on) > 1 else 1)
        assert [t for t in loops if t.n_spills or t.n_reloads or t.n_other] == []
        assert len(re.findall(r"\.p2align\s+6\b", text)) == n_functions  # begins at a line
