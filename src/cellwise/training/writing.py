"""Configurations as TOML text: complete, commented, and read back as they were."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import tomli_w
from pydantic.fields import FieldInfo

from cellwise.errors import ConfigError, nearest
from cellwise.tasks import TASKS
from cellwise.tasks.base import Section
from cellwise.training.config import RunConfig, build_config, kinds, parse_config
from cellwise.training.sources import cell_equations, is_cell, recipe_names, recipe_text

WIDTH = 98


def write_config(config: RunConfig, *, equations: bool = True) -> str:
    """A configuration as commented TOML; with `equations`, zoo cells stand there in full."""
    head = f"# {TASKS[config.task].summary}\ntask = {_toml(config.task)}\n"
    sections = [
        _section(name, section, equations=equations) for name, section in config.sections().items()
    ]
    return "\n".join([head, *sections])


def starting_config(name: str) -> RunConfig:
    """A recipe, or else the defaults of a task: what has none gets its field's first example.

    Raises:
        ConfigError: there is neither.
    """
    if name in recipe_names():
        return parse_config(recipe_text(name), None, source=f"recipe {name}")
    if name not in TASKS:
        known = [*TASKS, *recipe_names()]
        hint = nearest(name, known) or f"There are: {', '.join(dict.fromkeys(known))}."
        raise ConfigError(f"no task and no recipe is called '{name}'. {hint}")
    tables = {
        table: {key: _example(key, f) for key, f in kind.model_fields.items() if f.is_required()}
        for table, kind in kinds(name).items()
    }
    return build_config(name, tables, source=f"the defaults of {name}")


def _example(key: str, field: FieldInfo) -> Any:
    return field.examples[0] if field.examples else f"{key}.tsv"


def _section(name: str, section: Section, *, equations: bool) -> str:
    plain: list[str] = [f"[{name}]"]
    nested: list[str] = []
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if equations and is_cell(key) and isinstance(value, str):
            value = cell_equations(value)
        if isinstance(value, dict) and value:
            nested += ["", *_comment(field), tomli_w.dumps({name: {key: value}}).strip()]
        else:
            plain += [*_comment(field), _line(key, value)]
    return "\n".join([*plain, *nested, ""])


def _comment(field: FieldInfo) -> list[str]:
    return textwrap.wrap(
        field.description or "", WIDTH, initial_indent="# ", subsequent_indent="# "
    )


def _line(key: str, value: Any) -> str:
    if value is None:
        return f"# {key} = (not set)"
    return f"{key} = {_toml(value)}"


def _toml(value: Any) -> str:
    """A value as TOML: paths as text, lists on a line, texts of several lines as such."""
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if value == {}:
        return "{}"
    return tomli_w.dumps({"value": value}, multiline_strings=True).removeprefix("value = ").strip()
