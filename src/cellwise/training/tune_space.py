"""What a search varies: fields of a configuration, each over a range or over choices."""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from cellwise.errors import ConfigError
from cellwise.training.complaints import unknown_key
from cellwise.training.config import (
    RunConfig,
    build_config,
    kinds,
    parse_overrides,
    places_of,
)
from cellwise.training.sources import settle

LOG_RATIO = 100
"""A range whose ends, both positive, are so many times apart is searched by its logarithm."""

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(
    rf"(?:(log|linear):)?\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*(?::\s*({_NUMBER}))?"
)

Proposed = str | float
"""What a sampler proposes for a field: a number of a range, or the label of a choice."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; `log`: by their logarithm."""

    key: str
    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    def setting(self, proposed: Any) -> Any:
        """The field's value."""
        return proposed

    def grid(self) -> list[Proposed]:
        """All values, if they can be counted.

        Raises:
            ConfigError: they cannot.
        """
        step = self.step or (1 if self.whole and not self.log else None)
        if step is None:
            raise ConfigError(
                f"a grid needs a step or choices for '{self.key}': write LOW..HIGH:STEP or A|B|C"
            )
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        return [round(self.low + place * step, 12) for place in range(count)]


@dataclass(frozen=True)
class Choice:
    """Some values by their labels: what a person wrote for them."""

    key: str
    values: Mapping[str, Any]

    def setting(self, proposed: Any) -> Any:
        """The field's value."""
        return self.values[proposed]

    def grid(self) -> list[Proposed]:
        """All labels."""
        return list(self.values)


Varied = Range | Choice


def parse_varied(key: str, spec: Any, config: RunConfig) -> Varied:
    """What the field `key` varies over, checked against the configuration that it is a part of.

    Args:
        key: a dotted key, such as training.learning_rate.
        spec: "1e-4..1e-2", "64..512:64", "log:1..50", "lstm|gru", or a list of values.
        config: what is searched around.

    Raises:
        ConfigError: the key is unknown, or a value is not accepted.

    Example:
        `parse_varied("model.hidden_size", "64..512:64", config).grid()` has eight numbers.
    """
    said = f"--vary {key}={spec if isinstance(spec, str) else json.dumps(spec)}"
    try:
        varied = _parsed(key, spec, _annotation(key, config))
    except ConfigError as error:
        raise ConfigError(f"{said}: {error}") from error
    ends = (varied.low, varied.high) if isinstance(varied, Range) else varied.values.values()
    for value in ends:
        changed(config, {key: value}, said={key: said})
    return varied


def changed(
    config: RunConfig, values: Mapping[str, Any], said: Mapping[str, str] | None = None
) -> RunConfig:
    """The configuration with other values for some dotted keys.

    Raises:
        ConfigError: a value is not accepted.
    """
    tables = {name: section.model_dump() for name, section in config.sections().items()}
    for key, value in values.items():
        *path, last = places_of(key)
        table: Any = tables
        for place in path:
            table = table.setdefault(place, {})
        table[last] = value
    return build_config(config.task, tables, source="the search", said=said or {})


def to_json(varied: Varied) -> dict[str, Any]:
    """What is varied, as JSON values."""
    return asdict(varied)


def from_json(record: Mapping[str, Any]) -> Varied:
    """What `to_json` gave."""
    return Choice(**record) if "values" in record else Range(**record)


def _parsed(key: str, spec: Any, annotation: Any) -> Varied:
    if isinstance(spec, list):
        return _choice(key, {_label(value): _found(key, value) for value in spec}, len(spec))
    if not isinstance(spec, str):
        raise ConfigError(f"write what it varies over as a text or a list, not {spec!r}")
    if "|" in spec:
        labels = [part.strip() or '""' for part in spec.split("|")]
        return _choice(key, {label: _value(key, label) for label in labels}, len(labels))
    found = _RANGE.fullmatch(spec.strip())
    if found is None:
        raise ConfigError(
            "this is no range and no choice; write LOW..HIGH, LOW..HIGH:STEP, log:LOW..HIGH "
            "or A|B|C"
        )
    scale, *numbers = found.groups()
    return _range(key, scale, numbers, annotation)


def _choice(key: str, values: dict[str, Any], count: int) -> Choice:
    if len(values) < count or count < 2:
        raise ConfigError("give two or more choices, each of them once")
    return Choice(key, values)


def _range(key: str, scale: str | None, numbers: list[str | None], annotation: Any) -> Range:
    accepted = _numbers(annotation)
    if not accepted:
        raise ConfigError(f"'{key}' is no number; give choices instead: A|B|C")
    low, high, step = (None if text is None else float(text) for text in numbers)
    assert low is not None and high is not None
    if not low < high or (step is not None and not 0 < step <= high - low):
        raise ConfigError("a range rises, and its step is positive and fits into it")
    log = scale == "log" or (scale is None and step is None and 0 < LOG_RATIO * low <= high)
    if log and (low <= 0 or step is not None):
        raise ConfigError("'log:' takes a range of positive numbers without a step")
    if step is not None:  # a range ends at its last step, written as a person would
        high = float(f"{low + math.floor((high - low) / step + 1e-9) * step:.12g}")
    if float in accepted:
        return Range(key, low, high, step, log)
    if not all(number is None or number.is_integer() for number in (low, high, step)):
        raise ConfigError(f"'{key}' takes whole numbers")
    return Range(key, int(low), int(high), None if step is None else int(step), log, whole=True)


def _label(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def _value(key: str, label: str) -> Any:
    """The value that a label stands for: TOML, else text; cells and files are looked up."""
    value: Any = parse_overrides([f"{key}={label}"])
    for place in places_of(key):
        value = value[place]
    return _found(key, value)


def _found(key: str, value: Any) -> Any:
    """A value whose cell or file is looked up."""
    last = places_of(key)[-1]
    return settle({last: value}, Path.cwd())[last]


def _annotation(key: str, config: RunConfig) -> Any:
    """The type of a field of the configuration, or of a value in a table that is a field."""
    name, *path = places_of(key)
    known = kinds(config.task)
    if name not in known:
        raise ConfigError(unknown_key(key, name, list(known)))
    annotation: Any = known[name]
    if not path:
        raise ConfigError(f"'{key}' is a table; name one of its keys, as in training.learning_rate")
    for place in path:
        annotation = _inner(annotation, place, key)
    return annotation


def _inner(annotation: Any, place: str, key: str) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if place not in annotation.model_fields:
            raise ConfigError(unknown_key(key, place, list(annotation.model_fields)))
        return annotation.model_fields[place].annotation
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    raise ConfigError(f"there is no table above '{place}' in '{key}'")


def _numbers(annotation: Any) -> set[type]:
    """The types of numbers that an annotation accepts: int, float, both or none."""
    if annotation in (int, float):
        return {annotation}
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return set().union(*(_numbers(inner) for inner in get_args(annotation)))
    return set()
