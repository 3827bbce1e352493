from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import compile_time
from benchmarks.compile_inside import first_call

COLD = [{"derive": 0.1, "compile": 0.5}, {"derive": 0.3, "compile": 0.1}]
CACHED = [{"derive": 0.02, "compile": 0.01}]


def test_a_row_has_medians():
    assert compile_time.row("gru", COLD, CACHED) == ("gru", "200", "300", "0.50", "20", "10", "30")


def test_the_first_call_is_taken_apart():
    found = first_call("elman", 4, "reference")
    assert found["derive"] > 0
    assert found["compile"] >= 0


@pytest.mark.slow
def test_a_fresh_process_has_its_own_cache(tmp_path):
    found = compile_time.in_a_fresh_process("elman", 4, "reference", str(tmp_path))
    assert set(found) == {"derive", "compile"}


def test_all_figures_are_written(monkeypatch, tmp_path):
    caches: list[str] = []

    def fake(cell, hidden_size, backend, cache):
        caches.append(cache)
        return COLD[0]

    monkeypatch.setattr(compile_time, "in_a_fresh_process", fake)
    app = typer.Typer()
    app.command()(compile_time.main)
    out = tmp_path / "found.json"
    result = CliRunner().invoke(app, ["lstm", "gru", "--rounds", "2", "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert "| lstm" in result.stdout
    assert caches[0] == caches[1] != caches[2] == caches[3]
    found = json.loads(out.read_text())["cells"]
    assert found["gru"] == {"cold": [COLD[0]] * 2, "cached": [COLD[0]] * 2}
