"""The benchmark of `converse`, on a few dialogues."""

from __future__ import annotations

import gzip
import json

import pytest
from typer.testing import CliRunner

from benchmarks.conversation import DAILY, GUIDED, OPENINGS, PEER, app
from cellwise.data.dialogues import read_dialogues
from cellwise.tasks import TASKS
from cellwise.training import run
from cellwise.training.config import parse_config

CONFIG = """
task = "converse"
[data]
train = "train.jsonl"
dev = "train.jsonl"
test = "test.jsonl"
min_count = 1
[model]
embedding_size = 8
hidden_size = 8
[decoding]
beam_size = 1
max_answer = 5
judged_answers = 2
[training]
epochs = 1
device = "cpu"
tensorboard = false
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both data sets in little, prepared."""
    folder = tmp_path_factory.mktemp("dialogues")
    daily = "".join(f"Hello {i} . __eou__ Hi {i} ! __eou__\n" for i in range(40))
    guided = [
        {"turns": [{"utterance": f"A table {i}?"}, {"utterance": "Where?"}]} for i in range(30)
    ]
    files = {DAILY: daily}
    files |= {f"{GUIDED}/{p}/dialogues_001.json.gz": json.dumps(guided) for p in ("train", "dev")}
    for name, text in files.items():
        path = folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()))
    done = CliRunner().invoke(app, ["prepare", str(folder / "source"), str(folder / "parts")])
    assert done.exit_code == 0, done.output
    return folder / "parts"


def test_each_dialogue_is_in_one_part(folder):
    parts = [list(read_dialogues(folder / f"{part}.jsonl")) for part in ("train", "dev", "test")]
    assert sum(map(len, parts)) == 40 + 30 + 30
    hellos = [{d for d in part if d[0].startswith("Hello")} for part in parts]
    assert len(hellos[0] | hellos[1] | hellos[2]) == sum(map(len, hellos)) == 40


def test_a_run_stands_beside_an_n_gram_model_and_talks(folder):
    run.train(parse_config(CONFIG, folder, source="test"), folder / "run")
    done = CliRunner().invoke(app, ["compare", str(folder / "run")])
    assert done.exit_code == 0, done.output
    rows = [line.split(" | ") for line in done.stdout.splitlines()[2:4]]
    assert [row[0].strip("| ") for row in rows] == ["interpolated 5-gram", "run"]
    assert rows[0][2:] == rows[1][2:]
    assert all(float(row[1]) > 1 for row in rows)
    done = CliRunner().invoke(app, ["sample", str(folder / "run")])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == len(OPENINGS) == 10
    assert lines[0].startswith("1. *Hello, how are you?* / ")


def test_ours_and_torchs_layers_are_trained_and_judged(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, PEER.name, PEER)
    small = ["model.hidden_size=8", "model.embedding_size=8", "decoding.beam_size=1"]
    quick = ["training.epochs=1", "training.tensorboard=false", "training.device=cpu"]
    more = ["data.min_count=1", "decoding.max_answer=5", "decoding.judged_answers=2"]
    settings = [part for setting in (*small, *quick, *more) for part in ("--set", setting)]
    options = ["--layers", "ours,torch.nn", "--threads", "1", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, ["train", str(folder), *options, *settings])
    assert done.exit_code == 0, done.output
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    assert [row[1].strip() for row in rows[2:]] == ["ours", "torch.nn"]
    ours, theirs = (float(row[2]) for row in rows[2:])
    assert ours == pytest.approx(theirs, rel=0.02)
