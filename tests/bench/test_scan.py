from __future__ import annotations

from dataclasses import replace

import pytest

from cellwise.bench.contenders import ours
from cellwise.bench.scan import ScannedCall
from tests.bench.test_contenders import FEW, LEARNED, ODD, SMALL, close

pytest.importorskip("jax", reason="JAX is not installed")


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("name", FEW)
def test_a_scan_computes_what_we_do(name, both_ways):
    workload = replace(SMALL, cell=name, bidirectional=both_ways)
    close(ScannedCall(workload).outputs(), ours(workload).outputs())


def test_learned_starts_scalars_and_reductions():
    workload = replace(SMALL, cell="mine", equations=LEARNED)
    close(ScannedCall(workload).outputs(), ours(workload).outputs())


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_mask_stands_for_the_lengths(both_ways):
    workload = replace(SMALL, ragged=True, bidirectional=both_ways, mode="forward")
    (y,) = ScannedCall(workload).outputs()
    live = workload.mask().expand(-1, -1, y.shape[-1])
    close([y[live]], [ours(workload).outputs()[0].flatten()])


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_what_does_not_vary_is_spread(text):
    workload = replace(SMALL, cell="mine", equations=text)
    close(ScannedCall(workload).outputs(), ours(workload).outputs())
