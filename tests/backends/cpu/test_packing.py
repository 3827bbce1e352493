from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import ir

from cellwise.backends.cpu.machine import assembly
from cellwise.backends.cpu.packing import emit_pack
from cellwise.backends.cpu.registers import Form
from cellwise.backends.cpu.target import target
from tests.backends.cpu.forms import PRECISIONS, any_numbers, call, forms, guarded, seeds


@given(st.data(), forms, seeds)
def test_packing_moves_every_item(data, form, seed):
    lanes, n_units = form.lanes, data.draw(st.integers(form.lanes, 40))
    count = data.draw(st.integers(0, 40))
    step = data.draw(st.sampled_from([1, 2, 3]))
    stored = any_numbers(form, seed, n_units, max(count, 1) * step)
    if data.draw(st.booleans()):
        stored = np.asfortranarray(stored)
    weights = stored[:, ::step]  # units x k, with one stride 1 or none
    n_blocks = data.draw(st.integers(0, 5))
    places = st.lists(st.integers(0, n_units - lanes), min_size=n_blocks, max_size=n_blocks)
    units = np.array(data.draw(places), np.int64)
    stride = n_blocks * lanes + data.draw(st.integers(0, 3))
    out = guarded(form, count + 1, stride)
    expected = out.copy()
    for b, unit in enumerate(units):
        expected[:count, b * lanes : (b + 1) * lanes] = weights[unit : unit + lanes, :count].T
    starts = np.arange(n_blocks, dtype=np.int64) * lanes
    strides = [s // out.itemsize for s in weights.strides]
    call(form, "pack", weights, *strides, count, n_blocks, units, starts, out, stride)
    np.testing.assert_array_equal(out, expected)


@given(st.data(), forms, seeds)
def test_blocks_may_lie_one_after_the_other(data, form, seed):
    count, n_blocks = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 4))
    weights = any_numbers(form, seed, n_blocks * form.lanes, count)
    out = guarded(form, n_blocks, count, form.lanes)
    units = np.arange(n_blocks, dtype=np.int64) * form.lanes
    arguments = weights, count, 1, count, n_blocks, units, units * count, out, form.lanes
    call(form, "pack", *arguments)
    expected = weights.reshape(n_blocks, form.lanes, count).transpose(0, 2, 1)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["avx512", "avx2", "sse2", "neon"])
def test_squares_are_turned_in_registers(name, precision):
    on = target(name)
    module = ir.Module()
    module.triple = on.triple
    emit_pack(module, Form(on, precision, on.lanes(precision)))
    assert "Spill" not in assembly(str(module), on, level=0)[1]
