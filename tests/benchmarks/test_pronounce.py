from __future__ import annotations

import pytest

from benchmarks import pronounce
from benchmarks.pronounce import measure, rows
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
