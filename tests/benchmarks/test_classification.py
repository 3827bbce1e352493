from __future__ import annotations

import pytest

from benchmarks import classification
from benchmarks.classification import LAYERS, ROWS, Result, settings_of, table_row, trained
from cellwise.tasks import TASKS
from cellwise.training.config import load_config
from cellwise.training.progress import Reporter

ROWS_OF_TEXTS = "".join(f"{word} thing\t{label}\n" for word, label in [("a", "x"), ("b", "y")] * 4)


def test_a_row_holds_means_and_deviations():
    results = [Result(60.0, 3, 1000.0, {"accuracy": a, "macro_f1": a / 2}) for a in (0.9, 0.92)]
    assert table_row("questions", "ours", results) == (
        *("questions", "ours", "2", "91.0 ± 1.4", "45.5 ± 0.7", "90", "3, 3", "60", "1,000"),
    )


@pytest.mark.parametrize("name", ROWS)
def test_the_settings_of_a_row_are_a_configuration(name, tmp_path):
    config = load_config("classify", settings_of(ROWS[name], tmp_path))
    assert config.data.model_dump()["train"] == str(tmp_path / ROWS[name].parts["train"])


def test_both_trainings_are_the_same_in_little(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, classification.PEER.name, classification.PEER)
    data = tmp_path / "few.tsv"
    data.write_text(f"text\tlabel\n{ROWS_OF_TEXTS}", encoding="utf-8")
    settings = [f"data.{part}={data}" for part in ("train", "dev", "test")]
    settings += ["training.epochs=3", "training.batch_size=2", "training.tensorboard=false"]
    settings += ["model.hidden_size=8", "model.embedding_size=4", "training.log_every=1"]
    found = [
        trained([*settings, f"task={task}"], tmp_path / task, Reporter())
        for task in LAYERS.values()
    ]
    losses = [one.metrics["loss"] for one in found]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert all(one.tokens_per_second > 0 and one.epochs == 3 for one in found)
