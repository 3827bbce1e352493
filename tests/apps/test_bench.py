from __future__ import annotations

import json
import os

import pytest

from cellwise.apps.bench import Backend, _check_beforehand
from cellwise.backends.cpu import target
from cellwise.bench import grid
from cellwise.bench.grid import measure
from cellwise.errors import BackendError
from tests.apps.test_cli import invoke

TINY = "--batch 2 --hidden 3 --steps 4 --rounds 1 --threads 1 --backend reference -q".split()


def test_help_has_examples():
    text = invoke("bench", "--help").output
    assert "Examples" in text
    assert "  cellwise bench lstm" in text


def test_cells_are_measured_beside_their_peers(tmp_path):
    files = ["--json", tmp_path / "found.json", "--markdown", tmp_path / "found.md"]
    text = invoke("bench", "elman", "lem", *TINY, *files).stdout
    assert "nn.RNN" in text
    assert "left out: torch.nn has no such cell" in text
    assert (tmp_path / "found.md").read_text() == text
    found = json.loads((tmp_path / "found.json").read_text())
    sorts = [(one["workload"]["cell"], one["workload"]["mode"]) for one in found["measured"]]
    assert sorts == [(c, m) for c in ("elman", "lem") for m in ("forward", "both")]


def test_json_goes_to_standard_output_where_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = invoke("bench", "elman", *TINY, "--peers", "", "--json", "-", "--markdown", "a.md")
    assert len(json.loads(found.stdout)["measured"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]
    assert "| elman, forward, B=2" in (tmp_path / "a.md").read_text()


def test_ragged_batches_stand_beside_the_padded_ones():
    text = invoke("bench", "elman", *TINY, "--ragged", "--mode", "both", "--peers", "").stdout
    assert text.count("| elman, forward+backward") == 2
    assert "× fill × this" in text


def test_a_file_of_equations_is_measured(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("h[t] = tanh(U @ x[t] + a * h[t-1])\n")
    text = invoke("bench", path, *TINY, "--peers", "eager", "--mode", "forward").stdout
    assert "| mine, forward, B=2 H=3 T=4, 1 thread" in text
    assert "eager torch loop" in text


def test_all_is_the_whole_zoo_over_sequences(monkeypatch):
    from cellwise import cells

    seen: list[str] = []

    def fake(workload, manner):
        seen.append(workload.cell)
        raise BackendError("not now")

    monkeypatch.setattr(grid, "measure", fake)
    invoke("bench", "--all", *TINY, "--mode", "both", status=2)
    assert tuple(seen) == cells.names("chain")
    assert "name none besides" in invoke("bench", "gru", "--all", status=2).stderr


def test_ctrl_c_ends_with_what_was_measured(monkeypatch, tmp_path):
    left = [1]

    def until_stopped(workload, manner):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return measure(workload, manner)

    monkeypatch.setattr(grid, "measure", until_stopped)
    options = [*TINY, "--peers", "", "--json", tmp_path / "found.json"]
    result = invoke("bench", "elman", "gru", *options, status=130)
    assert "| elman, forward," in result.stdout
    assert "gru" not in result.stdout
    assert "stopped by Ctrl-C" in result.stderr
    assert len(json.loads((tmp_path / "found.json").read_text())["measured"]) == 1


def test_a_cell_that_cannot_be_served_is_said_and_left_out(monkeypatch):
    def refused(workload, manner):
        raise BackendError("no kernel")

    monkeypatch.setattr(grid, "measure", refused)
    result = invoke("bench", "elman", *TINY[:-1], "--mode", "both", status=2)
    assert "elman, forward+backward, B=2 H=3 T=4, 1 thread: left out: no kernel" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--batch", "two"], "--batch: 'two' is no whole number of at least 1"),
        (["--hidden", "0"], "--hidden: '0' is no whole number of at least 1"),
        (["--hidden", ","], "--hidden names nothing"),
        (["--mode", "back"], "--mode: 'back' is neither forward nor both"),
        (["--peers", "torhc"], "--peers: nobody is called 'torhc'. Did you mean 'torch'?"),
        (["nope"], "there is no cell and no file called 'nope'"),
        (["rntn"], "the cell 'rntn' is over trees, and bench measures sequences"),
    ],
)
def test_what_is_not_accepted_is_said(options, message):
    assert message in invoke("bench", *options, status=2).stderr


def test_what_cannot_be_written_is_told_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "measure", None)
    for option in ("--json", "--markdown"):
        found = invoke("bench", "elman", *TINY, option, tmp_path / "no" / "file", status=2)
        assert found.stderr.strip().endswith("No such file or directory")
    invoke("bench", "elman", *TINY, "--json", tmp_path, status=2)


def test_a_run_in_which_nothing_can_be_measured_fails(monkeypatch):
    def without_memory(*_: object) -> None:
        raise RuntimeError("[enforce fail] can't allocate memory: you tried")

    monkeypatch.setattr(grid, "measure", without_memory)
    found = invoke("bench", "elman", *TINY, status=2)
    assert "nothing was measured; elman, forward" in found.stderr
    assert "can't allocate memory" in found.stderr


@pytest.mark.parametrize("threads", ["99999999999", "5000"])
def test_no_process_has_so_many_threads(threads):
    found = invoke("bench", "elman", "--threads", threads, status=2)
    assert found.stderr.startswith("cellwise: --threads: ")


def test_a_wrong_target_is_told_at_once(monkeypatch):
    monkeypatch.setenv("CELLWISE_TARGET", "avx9")
    found = invoke("bench", "elman", "-q", status=2)
    assert "unknown target 'avx9'" in found.stderr


def test_links_and_pipes_stay_as_they_are(tmp_path):
    link, pipe = tmp_path / "link.json", tmp_path / "pipe"
    link.symlink_to(tmp_path / "target.json")
    invoke("bench", "elman", *TINY, "--json", link)
    assert link.is_symlink()
    assert json.loads((tmp_path / "target.json").read_text())["measured"]
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    _check_beforehand([pipe], Backend.reference)
    os.close(reading)


def test_without_kernels_for_the_machine_the_reference_is_measured(monkeypatch):
    monkeypatch.setattr(target, "runnable", lambda: ())
    monkeypatch.delenv("CELLWISE_TARGET", raising=False)
    _check_beforehand([None], Backend.auto)
