"""A search around the toy task whose trials do not train, for tests of the search itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellwise.training.config import RunConfig, parse_config
from cellwise.training.progress import Reporter
from cellwise.training.run import Outcome
from cellwise.training.tune_search import Search
from cellwise.training.tune_settings import TuneConfig

BASE = """
task = "toy"
[training]
epochs = 3
batch_size = 8
learning_rate = 0.03
device = "cpu"
tensorboard = false
"""
VARY = {"training.learning_rate": "1e-4..1", "model.hidden_size": "4..32:4"}


def configure(*overrides: str) -> RunConfig:
    return parse_config(BASE, None, source="toy.toml", overrides=overrides)


def search(vary: Mapping[str, Any] = VARY, *overrides: str, **settings: Any) -> Search:
    return Search.make(configure(*overrides), TuneConfig(vary=dict(vary), **settings))


def value(config: RunConfig) -> float:
    """The best dev metric that `pretend` gives: highest at a learning rate of 0.01."""
    return 1 - abs(math.log10(config.training.learning_rate) + 2) / 4


def pretend(
    config: RunConfig, folder: Path, *, resume: bool = False, reporter: Reporter | None = None
) -> Outcome:
    """What `train` does, without training: the metric rises to its best value over the epochs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    epochs = config.training.epochs
    for epoch in range(1, epochs + 1):
        if reporter is not None:
            reporter.judged(epoch, value(config) * epoch / epochs)
    return Outcome(True, "all is done", epochs, 8 * epochs, 1.5, epochs, value(config))
