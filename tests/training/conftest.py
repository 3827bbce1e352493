"""The toy task in the registry, and a small configuration of it."""

from __future__ import annotations

import pytest

from cellwise.tasks import TASKS
from tests.training.toy import Toy


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    monkeypatch.setitem(TASKS, "toy", Toy)
