from __future__ import annotations

import json

from cellwise import cells
from cellwise.apps.zoo import parameter_count
from tests.apps.test_cli import invoke


def test_the_list_holds_every_cell_with_its_parameters():
    lines = invoke("cells", "--input-size", "10", "--hidden-size", "20").stdout.splitlines()
    assert [line.split()[0] for line in lines[: len(cells.names())]] == list(cells.names())
    lstm = next(line for line in lines if line.startswith("lstm "))
    assert f"{4 * (20 * 10 + 20 * 20 + 20):,}" in lstm
    assert "input_size=10, hidden_size=20" in lines[-2]


def test_parameters_are_counted():
    assert parameter_count(cells.get("elman"), 3, 5) == 5 * 3 + 5 * 5 + 5
    assert parameter_count(cells.get("tree_lstm"), 3, 5) == 4 * (5 * 3 + 5 * 5 + 5)
    assert parameter_count(cells.get("recursive"), 3, 5) == 5 * 10 + 5


def test_a_cell_is_printed_in_every_style():
    plain = invoke("cells", "elman").stdout
    assert plain.strip() == str(cells.get("elman")).strip()
    assert invoke("cells", "elman", "--unicode").stdout != plain
    assert "\\tanh" in invoke("cells", "elman", "--latex").stdout


def test_derived_equations_are_printed():
    backward = invoke("cells", "elman", "--backward").stdout
    assert backward.strip() == str(cells.get("elman").backward()).strip()
    forward = invoke("cells", "elman", "--forward-mode").stdout
    assert forward.strip() == str(cells.get("elman").forward_mode()).strip()


def test_json_has_the_facts():
    found = json.loads(invoke("cells", "gru", "--json").stdout)
    assert found["name"] == "gru"
    assert found["states"] == ["h"]
    assert found["inputs"] == ["x"]
    assert found["structure"] == "chain"
    assert len(json.loads(invoke("cells", "--json").stdout)) == len(cells.names())


def test_a_file_of_equations_is_printed(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("h[t] = tanh(U @ x[t] + a * h[t-1])\n")
    assert invoke("cells", path, "--json").exit_code == 0


def test_a_file_that_is_not_utf8_is_said(tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(b"h[t] = \xff")
    assert invoke("cells", path, status=2).stderr == f"cellwise: {path}: not UTF-8 text (byte 7)\n"
