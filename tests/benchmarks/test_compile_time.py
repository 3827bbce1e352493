from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import compile_inside, compile_time
from cellwise.layers import Recurrent

COLD = [{"derive": 0.1, "compile": 0.5}, {"derive": 0.3, "compile": 0.1}]
CACHED = [{"derive": 0.02, "compile": 0.01}]


LATER = [{"derive": 0.01, "compile": 0.005}]


def test_a_row_has_medians():
    found = {"cold": COLD, "cached": CACHED, "later": LATER}
    row = compile_time.row("gru", found)
    assert row == ("gru", "200", "300", "0.50", "20", "10", "30", "15")
    assert len(row) == len(compile_time.HEAD)


@pytest.mark.parametrize("later", [False, True])
def test_the_first_call_is_taken_apart(monkeypatch, later):
    layers, calls, called = iter([0.5, 0.1]), iter([0.7, 0.3]), []

    def layer(cell, hidden_size, backend):
        own = cell == "elman"
        return (next(layers) if own else 9.0), Recurrent(cell, hidden_size, hidden_size)

    def call(layer):
        called.append(layer.cell.name)
        return next(calls) if layer.cell.name == "elman" else 9.0

    monkeypatch.setattr(compile_inside, "_layer", layer)
    monkeypatch.setattr(compile_inside, "_call", call)
    found = compile_inside.first_call("elman", 4, "reference", later=later)
    assert found == pytest.approx({"derive": 0.4, "compile": 0.4})
    assert len(called) == 3 + later  # what other cells took counts nothing
    assert called[-2:] == ["elman", "elman"]


@pytest.mark.slow
def test_a_fresh_process_has_its_own_cache(tmp_path):
    found = compile_time.in_a_fresh_process("elman", 4, "reference", str(tmp_path), later=True)
    assert set(found) == {"derive", "compile"}


def test_all_figures_are_written(monkeypatch, tmp_path):
    caches: list[tuple[str, bool]] = []

    def fake(cell, hidden_size, backend, cache, *, later):
        caches.append((cache, later))
        return COLD[0]

    monkeypatch.setattr(compile_time, "in_a_fresh_process", fake)
    app = typer.Typer()
    app.command()(compile_time.main)
    out = tmp_path / "found.json"
    result = CliRunner().invoke(app, ["lstm", "gru", "--rounds", "2", "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert "| lstm" in result.stdout
    folders = [cache for cache, _ in caches]
    assert folders[0] == folders[1] == folders[2] != folders[3] == folders[4]
    assert [later for _, later in caches[:4]] == [False, False, True, False]
    found = json.loads(out.read_text())["cells"]
    assert found["gru"] == {"cold": [COLD[0]] * 2, "cached": [COLD[0]] * 2, "later": [COLD[0]] * 2}
