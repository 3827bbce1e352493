from __future__ import annotations

import pytest
import typer
from hypothesis import strategies as st
from torch import Tensor
from typer.testing import CliRunner

from benchmarks import random_cases, random_inside
from benchmarks.random_inside import Tally, run_seed
from cellwise.backends import BACKENDS
from cellwise.backends.base import Bound
from cellwise.backends.reference import Reference
from cellwise.training.progress import Reporter
from tests.laws.agreement import Batch, Group
from tests.laws.rough import Rough


class Shy(Reference):
    """A back end that serves nobody."""

    name = "shy"

    def refuses(self, bound: Bound, like: Tensor) -> str:
        return "not today"


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    for backend in (Rough(), Shy()):
        monkeypatch.setitem(BACKENDS, backend.name, backend)


def test_the_reference_agrees_with_itself():
    found = run_seed(0, "reference", cases=10)
    assert found == Tally(agreed=10)


def test_a_seed_stands_for_the_same_cases_each_time(monkeypatch):
    seen: list[str] = []

    def note(group: Group, batch: Batch, backend: str) -> str:
        seen.append(f"{group!r} {batch}")
        return "agreed"

    monkeypatch.setattr(random_inside, "judge", note)
    for seed in (3, 3, 4):
        run_seed(seed, "reference", cases=50)
    assert len(seen) == 150
    assert seen[:50] == seen[50:100] != seen[100:]


def test_a_mismatch_ends_the_seed_and_is_made_small(monkeypatch):
    monkeypatch.setattr(random_inside, "TEXTS", st.just("h[t] = tanh(x[t] + h[t-1])"))
    monkeypatch.setattr(random_inside, "BATCHES", 1)
    found = run_seed(0, Rough.name, cases=10)
    assert found.mismatch.startswith('Group("""\n')
    assert "(1, 1, 1, 1), torch.float32, (Batch(lengths=(3,)," in found.mismatch
    assert "result 0: wrong by 0.01; rounding makes" in found.mismatch
    assert "1 mismatch" in str(found)


def test_an_error_of_a_back_end_is_told_with_its_case_and_seed(monkeypatch):
    def fail(group: Group, batch: Batch, backend: str) -> str:
        if "h[t-1]" in group.text:
            raise KeyError("rows v_1")
        return "agreed"

    monkeypatch.setattr(random_inside, "judge", fail)
    found = run_seed(7, "reference", cases=50)
    assert found.mismatch.startswith('Group("""\n')
    assert found.mismatch.endswith("\nKeyError: 'rows v_1'  # seed 7")


def test_what_is_refused_is_counted():
    assert run_seed(0, "shy", cases=10) == Tally(refused=10)


def test_seeds_add_up(monkeypatch):
    monkeypatch.setattr(random_cases, "run_seed", lambda seed, _: Tally(seed, 10, 1))
    total, left = random_cases.run([5, 6], "reference", 0, Reporter())
    assert total == Tally(11, 20, 2)
    assert left == []


def test_a_stopped_run_says_where_to_go_on(monkeypatch):
    def stopped(seed: int, backend: str) -> Tally:
        if seed == 8:
            raise KeyboardInterrupt
        return Tally(agreed=100)

    monkeypatch.setattr(random_cases, "run_seed", stopped)
    app = typer.Typer()
    app.command()(random_cases.main)
    options = "--cases 400 --seed 7 --workers 0 --backend reference".split()
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 130
    assert "to go on: --seed 8 --cases 300" in result.stdout


def test_a_mismatch_is_printed(monkeypatch):
    monkeypatch.setattr(random_cases, "run_seed", lambda *_: Tally(mismatch="Group(…)"))
    app = typer.Typer()
    app.command()(random_cases.main)
    result = CliRunner().invoke(app, "--cases 10 --workers 0 --backend reference".split())
    assert result.exit_code == 1
    assert "mismatch:\nGroup(…)" in result.stdout


def test_an_unknown_back_end_is_said():
    app = typer.Typer()
    app.command()(random_cases.main)
    assert CliRunner().invoke(app, ["--backend", "gpu"]).exit_code == 2


@pytest.mark.slow
def test_processes_share_the_work():
    total, left = random_cases.run([0], "reference", 1, Reporter())
    assert total.agreed + total.delicate == random_inside.CASES
    assert not total.mismatch
    assert left == []
