from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cellwise.errors import ConfigError, DataError
from cellwise.training import members, run
from cellwise.training.checkpoints import load_checkpoint, read_tensors
from cellwise.training.member import Relay
from cellwise.training.members import (
    FailedProcessError,
    LostProcessError,
    Member,
    check_devices,
    train_together,
)
from cellwise.training.progress import Reporter
from cellwise.training.stops import StoppedError
from tests.tolerances import TOLERANCE
from tests.training.heard import Heard
from tests.training.test_loop import BASE, configure, lines

ROOT = Path(__file__).parents[2]


def train(tmp_path, name, *settings, interrupt_at=0, resume=False):
    """`cellwise train` of a toy in processes of its own."""
    (tmp_path / "toy.toml").write_text(BASE)
    command = [sys.executable, "-m", "tests.apps.toy_cli", "train", "--quiet", "--json"]
    place = [str(tmp_path / name), "--resume"]
    new = [str(tmp_path / "toy.toml"), "--out", str(tmp_path / name)]
    command += place if resume else [*new, *(f"--set={setting}" for setting in settings)]
    environment = {**os.environ, "TOY_INTERRUPT_AT": str(interrupt_at)}
    return subprocess.run(
        command, env=environment, cwd=ROOT, check=False, capture_output=True, text=True
    )


def weights(tmp_path, name):
    return load_checkpoint(tmp_path / name).tensors["model"]


@pytest.mark.slow
def test_two_processes_do_what_one_does_with_both_their_batches(tmp_path):
    settings = ["model.dropout=0", "training.clip_norm=0.05", "training.averaging=exponential"]
    done = train(tmp_path, "two", "training.processes=2", *settings)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["epochs"], answer["steps"]) == (4, 16)
    assert set(answer["test"]) == {"accuracy"}
    run.train(configure(tmp_path, "training.accumulate=2", *settings), tmp_path / "one")
    for group in ("model", "average"):
        one, two = (load_checkpoint(tmp_path / name).tensors[group] for name in ("one", "two"))
        torch.testing.assert_close(one, two, **TOLERANCE[torch.float32]["grad"])


@pytest.mark.slow
def test_two_processes_share_rows_that_carry_and_resume_bit_for_bit(tmp_path):
    settings = ["task=carrying", "training.processes=2", "model.dropout=0"]
    assert train(tmp_path, "straight", *settings).returncode == 0
    halves = train(tmp_path, "halves", *settings, interrupt_at=13)
    assert halves.returncode == 130
    assert halves.stderr.endswith(
        f"everything is saved. Go on with:\n  cellwise train {tmp_path / 'halves'} --resume\n"
    )
    checkpoint = load_checkpoint(tmp_path / "halves")
    assert 13 <= checkpoint.state["position"]["step"] < 32
    assert checkpoint.tensors["carried"]["seen"].shape == (4, 2)
    assert checkpoint.tensors["carried@1"]["seen"].shape == (4, 2)
    assert train(tmp_path, "halves", resume=True).returncode == 0
    left, right = (load_checkpoint(tmp_path / name).tensors for name in ("straight", "halves"))
    assert left.keys() == right.keys()
    for group, tensors in left.items():
        assert all(torch.equal(tensors[name], right[group][name]) for name in tensors), group
    assert lines(tmp_path / "straight") == lines(tmp_path / "halves")
    run.train(configure(tmp_path, "task=carrying", "model.dropout=0"), tmp_path / "one")
    torch.testing.assert_close(
        weights(tmp_path, "one"), left["model"], **TOLERANCE[torch.float32]["grad"]
    )


@pytest.mark.slow
def test_two_processes_read_a_text_in_the_lanes_of_one(tmp_path):
    """Its last batch has rows for the first process only."""
    text = "".join(f"the cat {i} sat on the mat {i}\n" for i in range(57))
    (tmp_path / "text.txt").write_text(text)
    settings = ["task=language_model", "data.unit=words", "model.hidden_size=6"]
    settings += [f"data.{part}={tmp_path / 'text.txt'}" for part in ("train", "dev")]
    settings += ["model.dropout=0", "model.window=10", "model.embedding_size=4"]
    done = train(tmp_path, "two", "training.processes=2", *settings)
    assert done.returncode == 0, done.stderr
    run.train(configure(tmp_path, *settings), tmp_path / "one")
    torch.testing.assert_close(
        weights(tmp_path, "one"), weights(tmp_path, "two"), **TOLERANCE[torch.float32]["grad"]
    )


def lose_the_second(_reporter):
    """The second process ends at once; the first waits for it forever."""
    if os.environ["RANK"] == "1":
        os._exit(7)
    signal.pause()


@pytest.mark.slow
def test_a_process_that_is_lost_ends_the_others(monkeypatch):
    monkeypatch.setattr(members, "GRACE_S", 0.1)
    before = dict(os.environ)
    with pytest.raises(LostProcessError) as caught:
        train_together(lose_the_second, 2, threads=1, reporter=Reporter())
    assert str(caught.value) == (
        "process 2 of the 2 that train together ended with status 7, perhaps for lack of memory. "
        "What was done since the last checkpoint is lost; go on from there with --resume"
    )
    assert not multiprocessing.active_children()
    assert dict(os.environ) == before


def report_and_refuse(word, reporter):
    """What an error in the data looks like."""
    reporter.note(f"{word} {os.environ['WORLD_SIZE']} {os.environ['OMP_NUM_THREADS']}")
    sys.stdout.write("this must not disturb what the command prints")
    raise DataError("the data is bad")


@pytest.mark.slow
def test_words_and_errors_come_through(capfd):
    heard = Heard()
    work = functools.partial(report_and_refuse, "hello")
    with pytest.raises(DataError, match="the data is bad"):
        train_together(work, 1, threads=3, reporter=heard)
    assert heard.words == [("hello 1 3",), ("end",)]
    assert capfd.readouterr().out == ""


def test_a_relay_sends_every_word():
    here, there = multiprocessing.Pipe(duplex=False)
    relay, heard = Relay(there), Heard()
    relay.begin("epoch 1/2", 10, 3)
    relay.advance(1, "loss 1")
    relay.note("a note")
    relay.judged(1, 0.5)
    relay.end()
    there.close()
    member = Member(multiprocessing.get_context("spawn").Process(), here)
    for _ in range(5):
        member.hear(heard)
    assert heard.words == [("epoch 1/2", 10, 3), (1, "loss 1"), ("a note",), (1, 0.5), ("end",)]


def test_a_process_killed_amid_a_word_has_ended():
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    member = Member(process, here)
    os.write(there.fileno(), struct.pack("!i", 100) + b"half")
    there.close()
    member.hear(Heard())
    assert not member.listening


def ended(*said, at=0.0):
    """A member that ended, having said this."""
    here, _ = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process()
    return Member(process, here, said, at, listening=False)


RESULT = ended("result", {"steps": 3})


@pytest.mark.parametrize(
    ("found", "kind", "text"),
    [
        ([ended("failure", "lost touch", at=2.0), ended("failure", "a bug")], FailedProcessError,
         "a bug"),
        ([ended("failure", "lost touch"), ended("error", "DataError", "bad")], DataError, "bad"),
        ([ended("failure", "lost touch"), ended()], LostProcessError, "process 2 of the 2"),
        ([ended("error", "StoppedError", "saved")] * 2, StoppedError, "saved"),
        ([ended("interrupt", "twice"), ended("failure", "x")], KeyboardInterrupt, "twice"),
        ([RESULT, ended()], LostProcessError, "process 2 of the 2"),
    ],
)  # fmt: skip
def test_the_likeliest_cause_of_all_is_told(found, kind, text):
    with pytest.raises(kind, match=text):
        members._result(found, asked=False)


def test_a_stop_before_anything_could_be_saved_is_an_interrupt():
    with pytest.raises(KeyboardInterrupt):
        members._result([ended(), ended("failure", "lost touch")], asked=True)


def test_the_result_is_the_first_ones():
    assert members._result([RESULT, ended("result", {"steps": 4})], asked=False) == {"steps": 3}


def test_more_processes_than_accelerators_are_refused(monkeypatch):
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: cuda)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    check_devices("auto", 2)
    check_devices("cpu", 9)
    with pytest.raises(ConfigError) as caught:
        check_devices("auto", 3)
    assert str(caught.value) == (
        "training.processes = 3 needs an accelerator for each process, and "
        'training.device = "auto" gives 2; take fewer processes, or set training.device = "cpu"'
    )
    with pytest.raises(ConfigError, match='"cuda:1" gives 1; take fewer'):
        check_devices("cuda:1", 2)


def test_another_number_of_processes_cannot_go_on(tmp_path):
    run.train(configure(tmp_path), tmp_path / "run")
    path = tmp_path / "run" / "last" / "state.json"
    path.write_text(path.read_text().replace('"processes": 1', '"processes": 2'))
    with pytest.raises(ConfigError) as caught:
        run.train(configure(tmp_path), tmp_path / "run", resume=True)
    assert str(caught.value) == (
        "the run was trained by 2 processes together, and now there are 1; go on with 2 "
        "(training.processes = 2), or start a new run"
    )
    assert read_tensors(tmp_path / "run" / "model.safetensors")
