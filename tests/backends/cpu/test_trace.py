from __future__ import annotations

import multiprocessing
import re
import threading

import pytest

from cellwise.backends.cpu.target import target
from cellwise.backends.cpu.trace import VARIABLE, spills, trace
from cellwise.errors import ConfigError

TEXTS = {"program.txt": "h = tanh(a)\n", "kernel.ll": "; σ\n"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "deep" / "traces"))
    return tmp_path / "deep" / "traces"


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_nothing_happens(monkeypatch, tmp_path, value):
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    monkeypatch.chdir(tmp_path)
    trace("lstm", lambda: pytest.fail("was asked for texts"))
    assert list(tmp_path.iterdir()) == []


def test_stages_are_numbered_folders_of_files(folder):
    for label in ("lstm-forward", "lstm-backward", "lstm-forward"):
        trace(label, lambda: TEXTS)
    names = ["0001_lstm-forward", "0002_lstm-backward", "0003_lstm-forward"]
    assert sorted(path.name for path in folder.iterdir()) == names
    for name in names:
        found = {p.name: p.read_text(encoding="utf-8") for p in (folder / name).iterdir()}
        assert found == TEXTS


def test_numbering_goes_on_behind_what_is_there(folder):
    for name in ("0041_gru", "0042", "12345", "notes"):
        (folder / name).mkdir(parents=True)
    trace("gru", lambda: TEXTS)
    assert (folder / "12346_gru" / "kernel.ll").is_file()


def test_a_label_becomes_a_file_name(folder):
    trace("../my cell: σ/τ " + "x" * 300, lambda: TEXTS)
    (path,) = folder.iterdir()
    assert path.name == "0001_..-my-cell-σ-τ-" + "x" * (80 - len("..-my-cell-σ-τ-"))


def test_a_trace_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("here")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"^CELLWISE_TRACE=.*file: no trace can be written: "):
        trace("lstm", lambda: TEXTS)


def write_many(place, count):
    """Traces from a process of its own, and from two threads in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(place))
        threads = [threading.Thread(target=write_some, args=(count,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def write_some(count):
    for number in range(count):
        trace(f"cell{number}", lambda: TEXTS)


def test_no_number_is_given_twice_to_processes_and_threads(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=write_many, args=(tmp_path, 25)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    numbers = sorted(int(path.name.split("_")[0]) for path in tmp_path.iterdir())
    assert numbers == list(range(1, 101))
    assert all(len(list(path.iterdir())) == len(TEXTS) for path in tmp_path.iterdir())


SPILLING = """\
f:
	vmovups	%ymm0, 32(%rsp)
.LBB0_1:
	vaddps	32(%rsp), %ymm1, %ymm1
	decq	%rdi
	jne	.LBB0_1
	retq
"""


def test_the_report_is_a_table():
    lines = spills(SPILLING, target("avx2")).splitlines()
    assert lines == [
        "function, its inner loops  instructions  spills  reloads  other",
        "f                                     5       1        1      0",
        "  loop .LBB0_1                        3       0        1      0",
    ]
    assert re.fullmatch("function.*\n", spills("", target("avx2")))


def test_a_trace_at_the_home_of_nobody_is_refused(monkeypatch):
    monkeypatch.setenv("CELLWISE_TRACE", "~nobody-of-this-name/traces")
    with pytest.raises(ConfigError, match="no trace can be written: Could not determine home"):
        trace("h", lambda: {"a.txt": "a"})
