"""The toy task in the registry, and a small configuration of it."""

from __future__ import annotations

import pytest

from cellwise.tasks import TASKS
from tests.training.toy import Carrying, Toy


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    monkeypatch.setitem(TASKS, "toy", Toy)
    monkeypatch.setitem(TASKS, "carrying", Carrying)


@pytest.fixture
def quick_store():
    """Stores of trials that do not wait for the disk."""
    from sqlalchemy import Engine, event

    def hurry(connection, _record):
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hurry)
    yield
    event.remove(Engine, "connect", hurry)
