from __future__ import annotations

import pytest

from benchmarks import tagging
from benchmarks.tagging import (
    ROWS,
    Result,
    table_row,
    trained,
)
from cellwise.tasks import TASKS
from cellwise.training.config import load_config
from cellwise.training.progress import Reporter

TAGGED = "Ada\tB-PER\nsaw\tO\nRome\tB-LOC\n\nAlan\tB-PER\nByron\tI-PER\nsaw\tO\nit\tO\n"


def test_both_trainings_are_the_same_in_little(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, tagging.PEER.name, tagging.PEER)
    data = tmp_path / "few.tsv"
    data.write_text(TAGGED)
    overrides = [f"data.{part}={data}" for part in ("train", "dev", "test")]
    overrides += ["training.epochs=2", "training.batch_size=1", "training.tensorboard=false"]
    overrides += ["model.hidden_size=8", "model.character_hidden_size=4"]
    overrides += ["model.word_embedding_size=8", "model.character_embedding_size=4"]
    found = {
        who: trained(
            load_config("tag_ner", [f"task={task}", *overrides]), tmp_path / who, Reporter()
        )
        for who, task in tagging.LAYERS.items()
    }
    ours, theirs = (found[who].test["loss"] for who in ("ours", "torch.nn"))
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_a_row_is_told_with_its_spread():
    results = [Result(60.0 + i, 0.95, {"accuracy": 0.94 + i / 100}) for i in range(3)]
    found = table_row("english", "ours", results)
    assert found == ("english", "ours", "3", "accuracy", "95.0 ± 0.0", "95.0 ± 1.0", "61.0 ± 1.0")


def test_the_data_of_a_row_is_looked_for_in_the_folder(tmp_path):
    assert ROWS["names_crf"].overrides(tmp_path) == [
        f"data.train={tmp_path}/ner_broad_twitter/[abeg].conll.gz",
        f"data.test={tmp_path}/ner_broad_twitter/f.conll.gz",
        "data.dev_share=0.1",
    ]
