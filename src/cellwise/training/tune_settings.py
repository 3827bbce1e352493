"""The `[tune]` table of a configuration: what a search for settings can be told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cellwise import cells
from cellwise.tasks.base import Section
from cellwise.training.complaints import build_section
from cellwise.training.config import find_config, read_toml
from cellwise.training.sources import absolute, exists, refers

N_TRIALS = 20
"""How many trials a search has that was not told a number, unless it is a whole grid."""

SamplerName = Literal["tpe", "random", "grid"]
PrunerName = Literal["median", "none"]


class TuneConfig(Section):
    """How settings are searched; every field has a default that is a fair start."""

    trials: int = Field(
        0, ge=0, description="trials in all, of all sittings and processes; 0: 20, or a whole grid"
    )
    minutes: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="start no trial after so many minutes; 0: no limit",
    )
    sampler: SamplerName = Field(
        "tpe",
        description="who proposes settings: 'tpe' (a tree-structured Parzen estimator, which "
        "learns from the trials before), 'random', 'grid' (every combination once)",
    )
    pruner: PrunerName = Field(
        "median",
        description="which trials end early: 'median' (whose best dev metric is, from the second "
        "epoch on, worse than the median of earlier trials at that epoch; not the first five "
        "trials), 'none'",
    )
    keep: int = Field(1, ge=0, description="of how many of the best trials the weights are kept")
    vary: dict[str, Any] = Field(
        {}, description="keys and what they vary over: LOW..HIGH, LOW..HIGH:STEP, A|B|C or a list"
    )


def load_settings(
    where: str, changes: Mapping[str, Any], said: Mapping[str, str] | None = None
) -> TuneConfig:
    """The `[tune]` table of a file or recipe, changed by `changes`; defaults where it has none.

    Args:
        where: a TOML file or a recipe's name.
        changes: keys of the table with values that go before those in the file.
        said: how the command line said single dotted keys, for messages.

    Raises:
        ConfigError: a key or a value is not accepted.
    """
    text, base, source = find_config(where)
    table = read_toml(text, source).get("tune", {})
    if isinstance(table, dict):
        vary = flattened(table.get("vary", {}))
        if isinstance(vary, dict):
            vary = {key: _placed(key, spec, base) for key, spec in vary.items()}
            vary |= changes.get("vary", {})
        table = {**table, **changes, "vary": vary}
    made: TuneConfig = build_section(TuneConfig, table, name="tune", source=source, said=said or {})
    return made


def _placed(key: str, spec: Any, base: Path) -> Any:
    """What a field varies over; files that are named from the folder `base` get whole paths."""
    if not refers(key.rpartition(".")[2]):
        return spec
    if isinstance(spec, list):
        return [_path(value, base) for value in spec]
    if isinstance(spec, str) and "|" in spec:
        return "|".join(str(_path(part.strip(), base)) for part in spec.split("|"))
    return spec


def _path(value: Any, base: Path) -> Any:
    if not isinstance(value, str) or not value or value in cells.names():
        return value
    path = absolute(value, base)
    return str(path) if exists(path) and path.is_file() else value


def flattened(table: Any, above: str = "") -> Any:
    """Nested tables as one, with dotted keys; what is no table stays as it is.

    Example:
        >>> flattened({"training": {"epochs": "1..9"}, "model.cell": ["lstm", "gru"]})
        {'training.epochs': '1..9', 'model.cell': ['lstm', 'gru']}
    """
    if not isinstance(table, dict):
        return table
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat
