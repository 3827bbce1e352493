from __future__ import annotations

import importlib.util

import pytest

from cellwise.training.metrics import MetricsFile, read_metrics


def test_lines_are_json_and_wild_numbers_are_null(tmp_path):
    metrics = MetricsFile(tmp_path, tensorboard=False)
    metrics.write({"part": "dev", "step": 1, "accuracy": float("nan"), "loss": 0.1 + 0.2})
    metrics.close()
    assert read_metrics(tmp_path) == [
        {"part": "dev", "step": 1, "accuracy": None, "loss": 0.1 + 0.2}
    ]


def test_reopening_drops_what_follows_the_checkpoint(tmp_path):
    metrics = MetricsFile(tmp_path, tensorboard=False)
    metrics.write({"part": "train", "step": 1})
    size_bytes = metrics.size_bytes
    metrics.write({"part": "train", "step": 2})
    metrics.close()
    again = MetricsFile(tmp_path, tensorboard=False, size_bytes=size_bytes, step=1)
    assert again.size_bytes == size_bytes
    again.write({"part": "train", "step": 3})
    again.close()
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 3]


@pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed"
)
def test_tensorboard_gets_the_same_numbers(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    metrics = MetricsFile(tmp_path, tensorboard=True)
    metrics.write({"part": "dev", "step": 7, "loss": 0.5, "accuracy": float("inf"), "best": True})
    metrics.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.Tags()["scalars"] == ["dev/loss"]
    (event,) = events.Scalars("dev/loss")
    assert (event.step, event.value) == (7, 0.5)


def test_without_tensorboard_only_the_file_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    metrics = MetricsFile(tmp_path, tensorboard=True)
    metrics.write({"part": "dev", "step": 1, "loss": 0.5})
    metrics.close()
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
