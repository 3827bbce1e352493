"""The whole configuration of a run: read from TOML, changed by `--set`, checked."""

from __future__ import annotations

import re
import tomllib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from cellwise.errors import ConfigError, nearest
from cellwise.tasks import TASKS
from cellwise.tasks.base import Part, Section, Task
from cellwise.tasks.fields import NOISE
from cellwise.training.complaints import build_section, unknown_key
from cellwise.training.settings import FIXED_ON_RESUME, TrainingConfig
from cellwise.training.sources import exists, present_defaults, recipe_names, recipe_text, settle

Tables = dict[str, Any]

_QUOTED = r""" "[^"]*" | '[^']*' """
_PLACE = re.compile(rf"(?:{_QUOTED} | [^.])+ | (?<=\.)(?=\.|$) | ^(?=\.|$)", re.VERBOSE)
_NAME = r""" (?: \s*"[^"]*"\s* | \s*'[^']*'\s* | [^.=]* ) """
_EQUALS = re.compile(rf"({_NAME} (?: \. {_NAME} )*) = (.*)", re.VERBOSE | re.DOTALL)


@dataclass(frozen=True)
class RunConfig:
    """A task's name and the four tables of its configuration."""

    task: str
    data: Section
    model: Section
    decoding: Section
    training: TrainingConfig

    def sections(self) -> dict[str, Section]:
        """The tables by name, in the order in which they are written."""
        return {name: getattr(self, name) for name in kinds(self.task)}

    def make_task(self) -> Task[Any, Any]:
        """The task object that these tables describe."""
        return TASKS[self.task](self.data, self.model, self.decoding)


def kinds(task: str) -> dict[str, type[Section]]:
    """The type of each table of a task's configuration."""
    kind = TASKS[task]
    return {
        "data": kind.Data,
        "model": kind.Model,
        "decoding": kind.Decoding,
        "training": TrainingConfig,
    }


def load_config(where: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The configuration in a TOML file, or the recipe of that name, changed by "section.key=value".

    Paths in a file start at its folder, paths in a recipe or an override at the working folder.

    Raises:
        ConfigError: it cannot be read, or a key or a value in it is not accepted.
    """
    text, base, source = find_config(where)
    return parse_config(text, base, source=source, overrides=overrides)


def find_config(where: str | Path) -> tuple[str, Path, str]:
    """The text of a TOML file or a recipe, the folder where its paths start, and what it is called.

    Raises:
        ConfigError: it cannot be read.
    """
    path = Path(where)
    is_recipe = str(where) in recipe_names() and not path.is_file()
    if not is_recipe and (path.suffix == ".toml" or exists(path) or len(path.parts) > 1):
        return read_text(path), path.parent, str(where)
    return recipe_text(str(where)), Path.cwd(), f"recipe {where}"


def parse_config(
    text: str, base: Path | None, *, source: str, overrides: Sequence[str] = ()
) -> RunConfig:
    """The configuration in a TOML text; paths start at the folder `base` (None: as they are)."""
    tables = read_toml(text, source)
    tables.pop("tune", None)  # what `cellwise tune` searches; load_settings reads it
    changes = parse_overrides(overrides)
    said = {
        ".".join(places_of(_halves(text)[0])): f"--set {_shortened(text)}" for text in overrides
    }
    task = task_name({**tables, **changes}, said.get("task", source))
    if base is not None:
        tables = _merged({"data": present_defaults(TASKS[task].Data, base)}, tables)
    tables = _settled(task, tables, base, source)
    changes = _settled(task, changes, Path.cwd(), "--set")
    return build_config(task, _merged(tables, changes), source=source, said=said)


def check_complete(text: str, *, source: str) -> None:
    """A saved configuration is whole up to its last key; one cut short is not.

    A key missing before that is of a later version than the run; its default is what was done then.

    Raises:
        ConfigError: the last keys are missing.
    """
    tables = read_toml(text, source)
    missing = [
        f"{name}.{key}" if key not in table else ""
        for name, kind in kinds(task_name(tables, source)).items()
        for table in [tables.get(name, {})]
        for key, field in kind.model_fields.items()
        if field.default is not None and isinstance(table, dict)
    ]
    if missing and missing[-1]:
        raise ConfigError(
            f"{source} is damaged: it lacks '{next(filter(None, missing))}', and a saved run holds "
            "every key. Put it back from a copy, or start a new run"
        )


def build_config(
    task: str,
    tables: Mapping[str, Any],
    *,
    source: str,
    said: Mapping[str, str] = MappingProxyType({}),
) -> RunConfig:
    """The checked configuration of tables whose paths and cells are settled.

    Args:
        task: the task's name.
        tables: the tables by name.
        source: where they are from, for messages.
        said: where else single dotted keys are from.
    """
    sections = {
        name: build_section(kind, tables.get(name, {}), name=name, source=source, said=said)
        for name, kind in kinds(task).items()
    }
    return RunConfig(task=task, **sections)


def parse_overrides(overrides: Sequence[str]) -> Tables:
    """Tables from "section.key=value"; a value that is no TOML is taken as text.

    Example:
        >>> parse_overrides(["training.epochs=3", "model.cell=gru"])
        {'training': {'epochs': 3}, 'model': {'cell': 'gru'}}
    """
    tables: Tables = {}
    for override in overrides:
        key, equals, value = _halves(override)
        places = places_of(key)
        if not equals or not all(places) or (len(places) < 2 and places != ["task"]):
            raise ConfigError(
                f"--set {override}: write section.key=value, as in --set training.epochs=5"
            )
        _put(tables, places, _value(value.strip()))
    return tables


def places_of(key: str) -> list[str]:
    """The tables and the key that a dotted key names; a dot between quotes belongs to a name.

    Example:
        >>> places_of('data.classes."comp.graphics"')
        ['data', 'classes', 'comp.graphics']
    """
    return [place.strip().strip("\"'") for place in _PLACE.findall(key.strip())]


MOVABLE = tuple(f"data.{side}{part}" for side in ("", "target_") for part in get_args(Part))
"""Files that may lie elsewhere when a run goes on."""


def check_resumable(saved: RunConfig, wanted: RunConfig) -> None:
    """A run that goes on keeps its task, data, model and decoding, and some of its training.

    What merely disturbs a model in training, `NOISE`, may change, and so may the names of files:
    whether they hold the same examples is seen when they are read.

    Raises:
        ConfigError: something else was changed; the first such key is named.
    """
    if saved.task != wanted.task:
        raise ConfigError(f"the run is of task '{saved.task}', not '{wanted.task}'")
    for name, section in saved.sections().items():
        before, after = section.model_dump(), wanted.sections()[name].model_dump()
        lasting = [key for key in before if key not in NOISE and f"{name}.{key}" not in MOVABLE]
        for key in FIXED_ON_RESUME if name == "training" else lasting:
            if before[key] != after[key]:
                raise ConfigError(
                    f"'{name}.{key}' cannot change when a run is resumed: it was {before[key]!r}, "
                    f"and is now {after[key]!r}. Start a new run, with another --out"
                )


def read_text(path: Path) -> str:
    """A configuration file's text; a mark of UTF-8 at its start is left out."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {path}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        found = "UTF-16" if error.object[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "not UTF-8"
        raise ConfigError(f"{path} is {found}; save it as UTF-8") from error


def task_name(tables: Mapping[str, Any], source: str) -> str:
    """The name of the task that a configuration is for."""
    name = tables.get("task")
    accepted = f"Tasks: {', '.join(TASKS)}."
    if name is None:
        raise ConfigError(f"{source}: 'task' is missing; write task = \"…\" first. {accepted}")
    if not isinstance(name, str) or name not in TASKS:
        raise ConfigError(
            f"{source}: unknown task '{name}'. {nearest(str(name), TASKS) or accepted}"
        )
    return name


def read_toml(text: str, source: str) -> Tables:
    """The tables of a TOML text. Raises ConfigError if it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _settled(task: str, tables: Tables, base: Path | None, source: str) -> Tables:
    known = kinds(task)
    for name in tables:
        if name not in known and name != "task":
            raise ConfigError(f"{source}: {unknown_key(name, name, ['task', *known])}")
    return {name: settle(tables[name], base) for name in known if name in tables}


def _merged(below: Tables, above: Tables) -> Tables:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merged(old, value)
        merged[key] = value
    return merged


def _halves(override: str) -> tuple[str, str, str]:
    """The key, the first sign of equality outside of quotes, or nothing, and the value."""
    found = _EQUALS.match(override)
    return (found[1], "=", found[2]) if found else (override, "", "")


def _put(tables: Tables, places: list[str], value: Any) -> None:
    *path, last = places
    for place in path:
        inner = tables.setdefault(place, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {'.'.join(places)}: '{place}' was set to a value before")
        tables = inner
    tables[last] = value


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if len(parsed) == 1 else text
