"""Sums over all rows: of many rows and of none, on any number of threads."""

from __future__ import annotations

import pytest
import torch

from cellwise.backends.schedule import Schedule
from cellwise.cell import Cell
from cellwise.passes.normal import normalise
from tests.backends.cpu.test_sweep import Data, agrees, bound, sweep
from tests.laws.bits import threads

KINDS = {
    "outer": "h[t] = tanh(U @ x[t] + h[t-1])",
    "outer of a step before": "h[t] = tanh(W @ h[t-1] + x[t])",
    "product": "h[t] = tanh(a * x[t] + h[t-1])",
    "product of a step before": "h[t] = tanh(x[t] + a * h[t-1])",
    "rows": "h[t] = tanh(x[t] + h[t-1] + b)",
    "sums": "h[t] = tanh(x[t] + h[t-1] * sum(b))",
    "joined": "h[t] = tanh(U @ x[t] + W @ h[t-1]) * sigmoid(V @ x[t] + Z @ h[t-1] + b)",
    "twice": "h[t] = tanh(W @ x[t] + W @ h[t-1])",
}
MANY = Schedule((19,) * 30 + (7,) * 20, 20)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("what", KINDS)
def test_sums_over_many_rows_equal_the_references(what, n_threads):
    data = Data(bound(Cell(KINDS[what]).system, (19, 19)), MANY)
    with threads(n_threads):
        found = agrees(data, "backward", data.feed("backward"))
    assert found.totals


@pytest.mark.parametrize("what", KINDS)
def test_threads_change_no_bit_of_a_sum(what):
    data = Data(bound(Cell(KINDS[what]).system, (37, 37)), MANY)
    feed = data.feed("backward")
    results = []
    for n_threads in (1, 2, 3, 5):
        with threads(n_threads):
            results.append(sweep("cpu", data, "backward", feed).totals)
    for other in results[1:]:
        assert all(torch.equal(other[name], results[0][name]) for name in results[0])


@pytest.mark.parametrize("what", KINDS)
def test_sums_over_no_rows_are_zero(what):
    data = Data(bound(Cell(KINDS[what]).system, (3, 3)), Schedule((), 2), spare=0)
    found = sweep("cpu", data, "backward", data.feed("backward"))
    assert found.totals
    assert not any(total.any() for total in found.totals.values())


def test_every_kind_of_sum_is_among_them():
    kinds = set()
    for text in KINDS.values():
        cell = bound(Cell(text).system)
        normal = normalise(cell.compiled.backward, dict(cell.sizes))
        kinds |= {(t.kind, any(n.attributes[1] != "t" for n in t.operands)) for t in normal.totals}
    assert kinds >= {("outer", False), ("outer", True), ("product", False), ("rows", False)}
