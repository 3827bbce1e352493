from __future__ import annotations

from dataclasses import replace

import pytest

from cellwise.bench.operations import product_flops, workload_flops
from cellwise.bench.workload import Workload
from cellwise.cell import Cell
from cellwise.layers.sizes import resolve_sizes

SMALL = Workload("lstm", batch_size=3, hidden_size=8, n_steps=10, backend="reference")
STEP = 4 * 2 * 2 * 8 * 8
"""Four gates, a matrix each for x and h, two operations for each of their numbers."""


def flops(text: str, input_size: int, hidden_size: int) -> int:
    system = Cell(text).system
    sizes = resolve_sizes(system, input_size=input_size, hidden_size=hidden_size, sizes={})
    return product_flops(system, sizes)


def test_a_product_counts_two_for_each_number_of_its_matrix():
    assert flops("h[t] = tanh(U @ x[t] + W @ h[t-1] + b)", 3, 5) == 2 * (3 * 5 + 5 * 5)


def test_a_product_that_two_lines_share_counts_once():
    assert flops("a[t] = U @ x[t]\nh[t] = (U @ x[t]) * h[t-1] + a[t]", 3, 5) == 2 * 15


def test_products_of_parameters_alone_count_nothing():
    assert flops("h[t] = (W @ W) @ h[t-1] + U @ x[t]", 5, 5) == 2 * 50


def test_a_bilinear_form_counts_both_of_its_products():
    assert flops("h[t] = bilinear(V, x[t], h[t-1])", 3, 5) == 2 * (5 * 3 * 5 + 5 * 3)


def test_elementwise_work_counts_nothing():
    assert flops("h[t] = tanh(a * h[t-1] + x[t])", 4, 4) == 0


@pytest.mark.parametrize(("mode", "times"), [("forward", 1), ("both", 3)])
def test_the_backward_counts_twice_the_forward(mode, times):
    assert workload_flops(replace(SMALL, mode=mode)) == times * STEP * 30


def test_padding_counts_nothing_and_two_directions_count_twice():
    ragged = replace(SMALL, ragged=True, mode="forward", bidirectional=True)
    assert ragged.n_rows < 30
    assert workload_flops(ragged) == 2 * STEP * ragged.n_rows
