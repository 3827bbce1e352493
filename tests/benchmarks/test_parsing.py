from __future__ import annotations

import pytest

from benchmarks import parsing
from benchmarks.parsing import ROWS, Result, table_row, trained
from cellwise.tasks import TASKS
from cellwise.training.config import load_config
from cellwise.training.progress import Reporter
from tests.tasks import phrases

SMALL = (
    "model.hidden_size=16",
    "model.embedding_size=16",
    "model.character_embedding_size=16",
    "model.character_hidden_size=16",
    "model.encoder_layers=1",
    "model.dropout=0",
    "model.word_dropout=0",
    "training.epochs=1",
    "training.batch_size=9",
    "training.tensorboard=false",
)


@pytest.fixture
def data(tmp_path):
    path = phrases.write(tmp_path / "trees.mrg")
    return [f"data.{part}={path}" for part in ("train", "dev", "test")]


def test_torchs_layers_in_their_place_learn_the_same(data, tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, parsing.PEER.name, parsing.PEER)
    ours, its = (
        trained(load_config("parse", [f"task={task}", *data, *SMALL]), tmp_path / task, Reporter())
        for task in parsing.LAYERS.values()
    )
    assert ours.metrics["loss"] == pytest.approx(its.metrics["loss"], rel=1e-3)
    assert ours.metrics["well_formed"] == its.metrics["well_formed"] == 100


def test_each_row_is_a_configuration_that_holds(data):
    for settings in ROWS.values():
        assert load_config("parse", [*data, *settings]).make_task().name == "parse"


def test_a_row_of_the_table():
    metrics = {"f1_40": 80.0, "f1": 79.0, "complete_match_40": 30.0, "well_formed": 100.0}
    assert table_row("attention", "ours", [Result(12.0, metrics)]) == (
        *("attention", "ours", "1", "80.0", "79.0", "30.0", "100.0", "12.0"),
    )
