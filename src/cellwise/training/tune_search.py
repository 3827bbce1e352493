"""What is searched: a configuration, the fields of it that vary, and who proposes and prunes."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellwise.errors import ConfigError
from cellwise.training.complaints import build_section
from cellwise.training.config import RunConfig, build_config
from cellwise.training.tune_settings import N_TRIALS, TuneConfig
from cellwise.training.tune_space import (
    Proposed,
    Varied,
    changed,
    from_json,
    parse_varied,
    to_json,
)
from cellwise.training.tune_trials import Goal

FREE = ("training.device", "training.threads")
"""What may change when a search goes on, as it changes no result."""

LARGEST_GRID = 10_000


@dataclass(frozen=True)
class Search:
    """A search for settings.

    Attributes:
        config: the configuration around which is searched.
        settings: the `[tune]` table.
        space: what varies.
    """

    config: RunConfig
    settings: TuneConfig
    space: tuple[Varied, ...]

    @property
    def keys(self) -> list[str]:
        """The dotted keys that vary."""
        return [varied.key for varied in self.space]

    @property
    def metric(self) -> str:
        """The dev metric that is searched for."""
        return self.config.make_task().metric

    @property
    def goal(self) -> Goal:
        """Whether that metric is to be small or large."""
        return self.config.make_task().goal

    @property
    def n_trials(self) -> int:
        """How many trials there are to be."""
        if self.settings.sampler != "grid":
            return self.settings.trials or N_TRIALS
        size = math.prod(len(varied.grid()) for varied in self.space)
        return min(self.settings.trials or size, size)

    def grid(self) -> list[dict[str, Proposed]]:
        """All combinations, in an order that the seed decides; none unless the sampler is 'grid'.

        Raises:
            ConfigError: they cannot be counted, or are too many.
        """
        if self.settings.sampler != "grid":
            return []
        axes = [varied.grid() for varied in self.space]
        size = math.prod(map(len, axes))
        if size > LARGEST_GRID:
            raise ConfigError(f"a grid of {size:,} trials is too large; at most {LARGEST_GRID:,}")
        points = [dict(zip(self.keys, point, strict=True)) for point in itertools.product(*axes)]
        random.Random(self.config.training.seed).shuffle(points)
        return points

    def trial_config(self, proposed: Mapping[str, Proposed]) -> RunConfig:
        """The complete configuration of a trial.

        Raises:
            ConfigError: these values are not accepted together.
        """
        values = {varied.key: varied.setting(proposed[varied.key]) for varied in self.space}
        return changed(self.config, values)

    def record(self) -> dict[str, Any]:
        """This search as JSON values: what a store keeps, for those who go on with it."""
        sections = self.config.sections()
        kept = {
            "task": self.config.task,
            "config": {name: table.model_dump(mode="json") for name, table in sections.items()},
            "vary": [to_json(varied) for varied in self.space],
            "sampler": self.settings.sampler,
            "pruner": self.settings.pruner,
            "trials": self.settings.trials,
            "keep": self.settings.keep,
        }
        made: dict[str, Any] = json.loads(json.dumps(kept))
        return made

    @staticmethod
    def make(config: RunConfig, settings: TuneConfig) -> Search:
        """The search that a `[tune]` table describes.

        Raises:
            ConfigError: nothing varies, or a key or a value is not accepted.
        """
        if not settings.vary:
            raise ConfigError(
                "say what to vary: --vary training.learning_rate=1e-4..1e-2, "
                "--vary model.hidden_size=64..512:64, --vary 'model.cell=lstm|gru'"
            )
        space = tuple(parse_varied(key, spec, config) for key, spec in settings.vary.items())
        search = Search(config, settings, space)
        search.grid()
        return search

    @staticmethod
    def of(
        record: Mapping[str, Any], changes: Mapping[str, Any], said: Mapping[str, str]
    ) -> Search:
        """The search that `record` gave, with other keys of `[tune]` in `changes`."""
        config = build_config(record["task"], record["config"], source="the search")
        table = {key: record[key] for key in ("sampler", "pruner", "trials", "keep")}
        settings = build_section(
            TuneConfig, {**table, **changes}, name="tune", source="the search", said=said
        )
        return Search(config, settings, tuple(from_json(varied) for varied in record["vary"]))


def check_same(saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """A search that goes on keeps what it searches; what `record` gave for both is compared.

    Raises:
        ConfigError: something changed; it is named.
    """
    before, after = _facts(saved), _facts(now)
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            was, now = (facts.get(key, "nothing") for facts in (before, after))
            raise ConfigError(
                f"'{key}' cannot change when a search goes on: it was {was!r}, and is "
                f"now {now!r}. Start a new search, with another --out"
            )


def _facts(record: Mapping[str, Any]) -> dict[str, Any]:
    """What must not change, by names that a person knows."""
    tables = {"": {key: record[key] for key in ("task", "sampler", "pruner")}}
    tables |= {f"{name}.": table for name, table in record["config"].items()}
    facts = {
        f"{name}{key}": value
        for name, table in tables.items()
        for key, value in table.items()
        if f"{name}{key}" not in FREE
    }
    return facts | {f"--vary {varied['key']}": _said(varied) for varied in record["vary"]}


def _said(varied: Mapping[str, Any]) -> str:
    if "values" in varied:
        return _choices(list(varied["values"]))
    step = f":{varied['step']:g}" if varied["step"] else ""
    log = "log:" if varied["log"] else ""
    return f"{log}{varied['low']:g}..{varied['high']:g}{step}"


def _choices(labels: Sequence[str]) -> str:
    return "|".join(labels)
