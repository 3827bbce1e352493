from __future__ import annotations

import importlib.util
import sys
from random import Random
from types import SimpleNamespace

import pytest

from benchmarks import pronounce, pronounce_joint
from benchmarks.pronounce import Result, measure, rows
from cellwise.errors import BackendError
from cellwise.tasks import TASKS
from cellwise.training.progress import Reporter

PAIRS = "tea\tT IY\neat\tIY T\nate\tEY T\ntee\tT IY\n"


def test_both_trainings_are_the_same_in_little(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, pronounce.PEER.name, pronounce.PEER)
    data = tmp_path / "few.tsv"
    data.write_text(PAIRS)
    overrides = [f"data.{part}={data}" for part in ("train", "dev", "test")]
    overrides += ["data.source=files", "training.epochs=3", "training.batch_size=2"]
    overrides += ["model.hidden_size=8", "model.embedding_size=4", "training.tensorboard=false"]
    found = measure(overrides, tmp_path / "runs", Reporter())
    assert list(found) == ["ours", "torch.nn"]
    losses = [one.metrics["loss"] for one in found.values()]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    table = rows(found)
    assert [row[0] for row in table] == ["ours", "torch.nn"]
    assert table[0][-1] == "1.00"
    (alone,) = rows({"torch.nn": found["torch.nn"]})
    assert alone[-1] == ""


def few_words(folder):
    data = folder / "few.tsv"
    data.write_text(PAIRS + "tee\tT EY\n")
    overrides = [f"data.{part}={data}" for part in ("train", "dev", "test")]
    return [*overrides, "data.source=files"]


def test_a_joint_model_is_judged_by_the_metrics_of_the_task(tmp_path, monkeypatch):
    seen = {}

    def train(lexicon, model):
        seen.update(lexicon)

    def predict(words, model):
        yield "tea", ["T", "IY"]
        yield "tee", ["T", "EY"]  # its second pronunciation
        yield "tee", ["T", "IY"]
        yield "ate", ["EY", "D"]  # and none for "eat"

    monkeypatch.setitem(sys.modules, "phonetisaurus", SimpleNamespace(train=train, predict=predict))
    seconds, metrics = pronounce_joint.judged(few_words(tmp_path), tmp_path)
    assert seconds >= 0
    assert seen["tee"] == [["T", "IY"], ["T", "EY"]]
    assert metrics["sequence_error_rate"] == 2 / 4
    assert metrics["token_error_rate"] == 3 / 8
    (row,) = rows({"ours": Result(1.0, None, metrics)})
    assert row == ("ours", "1.0", "", "50.00 %", "37.50 %", "1.00")


def test_a_missing_joint_model_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "phonetisaurus", None)
    with pytest.raises(BackendError, match="pip install phonetisaurus"):
        pronounce_joint.imported()


@pytest.mark.skipif(
    importlib.util.find_spec("phonetisaurus") is None, reason="Phonetisaurus is not installed"
)
def test_phonetisaurus_learns_a_code_of_letters(tmp_path):
    random = Random(1)
    words = ["".join(random.choices("abcdef", k=random.randint(2, 7))) for _ in range(400)]
    data = tmp_path / "code.tsv"
    data.write_text("".join(f"{word}\t{' '.join(word.upper())}\n" for word in words))
    overrides = [f"data.{part}={data}" for part in ("train", "dev", "test")]
    _, metrics = pronounce_joint.judged([*overrides, "data.source=files"], tmp_path)
    assert metrics["sequence_error_rate"] < 0.1
