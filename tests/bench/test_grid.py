from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cellwise.bench import grid
from cellwise.bench.grid import Grid, Line, Manner, Measured, measure
from cellwise.bench.machine import this_machine
from cellwise.bench.operations import workload_flops
from cellwise.bench.remote import EndedError, Remote
from cellwise.bench.tables import as_json, described, markdown, shown
from cellwise.bench.timing import Spread
from cellwise.bench.workload import Workload
from cellwise.errors import BackendError

SMALL = Workload("gru", batch_size=2, hidden_size=3, n_steps=6, backend="reference")
MACHINE = this_machine(1)


@pytest.fixture(scope="module")
def ragged() -> Measured:
    return measure(replace(SMALL, ragged=True), Manner(("torch", "eager", "lstm"), rounds=2))


def line(measured: Measured, who: str) -> Line:
    return next(one for one in measured.lines if one.who == who)


def middle(spread: Spread | None) -> float:
    assert spread is not None
    return spread.median


def test_a_grid_is_every_combination():
    whole = Grid((("a", ""), ("b", "h[t] = x[t]")), (1, 2), (3,), (1,), ("both",), (False,), SMALL)
    found = list(whole.workloads())
    assert [(w.cell, w.equations, w.batch_size) for w in found] == [
        ("a", "", 1),
        ("a", "", 2),
        ("b", "h[t] = x[t]", 1),
        ("b", "h[t] = x[t]", 2),
    ]
    assert {w.hidden_size for w in found} == {3}
    assert found[0].n_steps == SMALL.n_steps


def test_everybody_has_a_line_and_ours_is_the_first(ragged):
    assert [one.who for one in ragged.lines] == ["ours", "padded", "torch", "eager", "lstm"]
    assert line(ragged, "torch").title == "nn.GRU"
    assert line(ragged, "torch").note == "resets after the product"
    assert line(ragged, "ours").ratio is None
    for one in ragged.lines:
        assert one.milliseconds is not None
        assert one.milliseconds.least > 0


def test_rates_are_of_the_work_that_each_does(ragged):
    ours, lstm = line(ragged, "ours"), line(ragged, "lstm")
    assert ours.gflops == pytest.approx(ragged.gflop / middle(ours.milliseconds) * 1e3)
    work = workload_flops(replace(ragged.workload, cell="lstm")) / 1e9
    assert lstm.gflops == pytest.approx(work / middle(lstm.milliseconds) * 1e3)
    assert middle(lstm.rate_ratio) == pytest.approx(middle(lstm.ratio) * ragged.gflop / work)


def test_a_ragged_batch_is_compared_with_the_padded_one(ragged):
    assert ragged.ragged_cost is not None
    assert measure(SMALL, Manner((), rounds=1)).ragged_cost is None


def test_who_cannot_be_had_has_a_line_with_the_reason():
    found = measure(replace(SMALL, cell="lem"), Manner(("torch",), rounds=1))
    assert line(found, "torch").note == "left out: torch.nn has no such cell"
    assert line(found, "torch").milliseconds is None


def test_where_nothing_can_be_emitted_there_is_no_peak(monkeypatch):
    def none() -> None:
        raise BackendError("no kernels")

    monkeypatch.setattr(grid, "chosen", none)
    found = measure(SMALL, Manner((), rounds=1))
    assert found.peak_gflops is None
    assert found.lines[0].share is None


def test_a_cell_without_products_has_no_rate():
    bare = replace(SMALL, cell="mine", equations="h[t] = 0.5 * h[t-1] + x[t]")
    found = measure(bare, Manner(("eager",), rounds=1))
    assert found.lines[0].gflops is None
    assert found.lines[1].ratio is not None
    assert "| mine" in markdown(MACHINE, [found])


def test_the_lstm_is_not_measured_beside_itself():
    found = measure(replace(SMALL, cell="lstm"), Manner(("lstm",), rounds=1))
    assert [one.who for one in found.lines] == ["ours"]


def test_a_table_shows_the_machine_and_every_line(ragged):
    text = markdown(MACHINE, [ragged])
    lines = text.splitlines()
    assert lines[0] == str(MACHINE)
    assert lines[2].startswith("| workload")
    assert len({len(row) for row in lines if row.startswith("|")}) == 1
    assert "× fill × this" in text
    assert "× its operations a second" in text
    assert "| FMA peak" in text


def test_json_has_all_that_the_table_has(ragged):
    found = json.loads(as_json(MACHINE, [ragged]))
    assert found["machine"]["cpu"] == MACHINE.cpu
    (one,) = found["measured"]
    assert one["workload"]["n_rows"] == ragged.workload.n_rows
    assert [row["who"] for row in one["lines"]] == [row.who for row in ragged.lines]
    assert set(one["lines"][0]["milliseconds"]) == {"median", "least", "most"}


def test_a_workload_in_words():
    assert described(SMALL) == "gru, forward+backward, B=2 H=3 T=6, 1 thread"
    other = replace(SMALL, mode="forward", threads=2, bidirectional=True, precision="f64")
    assert described(other) == "gru, forward, B=2 H=3 T=6, 2 threads, bidirectional, f64"


def test_figures_in_words():
    assert shown(None) == ""
    assert shown(Spread(0.5, 0.25, 1.0), percent=True) == "50 % (25–100)"
    assert shown(Spread(123.44, 99.0, 4321.0)) == "123.4 (99.00–4321)"


class Mortal(Remote):
    """A contender whose process ends with the second sample."""

    def __init__(self, peer: str, workload: Workload, *, limit_s: float):
        self.title, self.build_seconds, self.left = peer, 0.0, 2

    def seconds(self, repeats: int) -> float:
        self.left -= 1
        if not self.left:
            raise EndedError("its process ended with status -9", self)
        return 1e-3

    def close(self) -> None:
        pass


def test_whoever_ends_amid_the_rounds_is_left_out_and_the_others_are_measured(monkeypatch):
    monkeypatch.setattr(grid, "Remote", Mortal)
    measured = measure(SMALL, Manner(("jax", "torch"), rounds=2))
    assert [one.who for one in measured.lines] == ["ours", "torch", "jax"]
    assert line(measured, "jax").note == "left out: its process ended with status -9"
    assert line(measured, "torch").milliseconds is not None


def test_whatever_a_peer_cannot_do_leaves_us_measured(monkeypatch):
    def broken(_: Workload) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(grid._HERE, "eager", broken)
    measured = measure(SMALL, Manner(("eager",), rounds=1))
    assert line(measured, "eager").note == "left out: ZeroDivisionError"


def test_a_file_of_the_name_of_the_lstm_is_not_it():
    workload = replace(SMALL, cell="lstm", equations="h[t] = tanh(U @ x[t])")
    measured = measure(workload, Manner(("lstm",), rounds=1))
    assert [one.who for one in measured.lines] == ["ours", "lstm"]
