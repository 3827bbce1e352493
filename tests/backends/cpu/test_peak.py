from __future__ import annotations

import re

import numpy as np
import pytest

from cellwise.backends.cpu.machine import assembly
from cellwise.backends.cpu.peak import UNROLLED, Chains, chains_module, fma_peak, n_chains
from cellwise.backends.cpu.target import runnable, target

PRECISIONS = ["f32", "f64"]
TARGETS = ["avx512", "avx2", "sse2", "neon"]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("on", runnable(), ids=lambda t: t.name)
def test_chains_multiply_and_add_as_often_as_they_say(on, precision):
    chains = Chains(on, precision)
    numbers = chains.fresh()
    lanes = chains.lanes
    numbers[:lanes], numbers[lanes : 2 * lanes] = 1.0, 0.25
    numbers[2 * lanes :] = np.arange(lanes * n_chains(on))
    chains.run(numbers, 3)
    assert np.array_equal(numbers[2 * lanes :], np.arange(lanes * n_chains(on)) + 0.75 * UNROLLED)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_spills_and_every_product_is_one_instruction(name, precision):
    on = target(name)
    _, text = assembly(chains_module(on, precision), on)
    fused = len(re.findall(r"\b(?:vfn?m(?:add|sub)\w+|fml[as])\b", text))
    separate = len(re.findall(r"\b(?:mulp[sd])\b", text))
    assert (fused if on.fused else separate) == UNROLLED * n_chains(on)
    assert not re.search(r"Spill|Reload", text)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_peak_is_a_rate(threads):
    assert fma_peak(threads, seconds=1e-4) > 0
