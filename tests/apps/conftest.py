"""The toy task in the registry, and a trained run of it."""

from __future__ import annotations

import pytest

from cellwise.tasks import TASKS
from cellwise.training import run
from cellwise.training.config import parse_config
from tests.training.toy import Toy

CONFIG = """
task = "toy"
[training]
epochs = 2
batch_size = 8
learning_rate = 0.03
device = "cpu"
tensorboard = false
"""


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    monkeypatch.setitem(TASKS, "toy", Toy)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "toy.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder of a trained run."""
    folder = tmp_path_factory.mktemp("runs") / "toy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "toy", Toy)
        settings = ["training.epochs=6"]
        run.train(parse_config(CONFIG, folder, source="toy", overrides=settings), folder)
    return folder


@pytest.fixture
def quick_store():
    """Stores of trials that do not wait for the disk."""
    from sqlalchemy import Engine, event

    def hurry(connection, _record):
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hurry)
    yield
    event.remove(Engine, "connect", hurry)
