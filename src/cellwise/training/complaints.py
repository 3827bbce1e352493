"""What is wrong with a table, in plain words: which key, what was found, what is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cellwise.errors import ConfigError, nearest
from cellwise.tasks.base import Section

_WANTED: Mapping[str, str] = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a table",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "path_type": "a path in quotes",
    "string_type": "a text in quotes",
}

_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("a value greater than", "gt"),
    "greater_than_equal": ("a value of at least", "ge"),
    "less_than": ("a value less than", "lt"),
    "less_than_equal": ("a value of at most", "le"),
    "literal_error": ("one of", "expected"),
}


def build_section(
    kind: type[Section],
    table: Any,
    *,
    name: str,
    source: str,
    said: Mapping[str, str] = MappingProxyType({}),
) -> Any:
    """The section `kind` made of a TOML table, from `source` but for the dotted keys in `said`.

    Raises:
        ConfigError: a key is unknown or missing, or a value is not accepted; all of them at once.
    """
    if not isinstance(table, dict):
        raise ConfigError(
            f"{said.get(name, source)}: '{name}' must be a table: write [{name}] and its keys below"
        )
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        lines: dict[str, list[str]] = {}
        for detail in error.errors(include_url=False):
            beginning, wanted = _complaint(kind, name, detail)
            origin = _origin(name, detail, said) or source
            lines.setdefault(f"{origin}: {beginning}", []).append(wanted)
    # A value that may be of several kinds has a complaint of each.
    joined = (before + " or ".join(filter(None, dict.fromkeys(w))) for before, w in lines.items())
    raise ConfigError("\n".join(joined))


def _origin(name: str, detail: ErrorDetails, said: Mapping[str, str]) -> str:
    """Where the key that a complaint is about was said, apart from the source of all."""
    place = [name, *(str(part) for part in detail["loc"])]
    keys = [".".join(place[:count]) for count in range(len(place), 0, -1)]
    within = (key for key in said if key.startswith(f"{keys[0]}."))
    return next((said[key] for key in (*keys, *within) if key in said), "")


def unknown_key(key: str, found: str, accepted: list[str]) -> str:
    """The complaint about the dotted `key`, whose last part `found` is none of `accepted`."""
    hint = nearest(found, accepted) or f"Accepted are: {', '.join(accepted)}."
    return f"unknown key '{key}'. {hint}"


def _complaint(kind: type[Section], name: str, detail: ErrorDetails) -> tuple[str, str]:
    """What is wrong, and what would be right, if the first does not say it."""
    place = [str(part) for part in detail["loc"]]
    key = ".".join([name, *place])
    if detail["type"] == "extra_forbidden":
        return unknown_key(key, place[-1], list(kind.model_fields)), ""
    if detail["type"] == "missing":
        return f"'{key}' is missing: {_description(kind, place[0])}", ""
    # In a choice of types the place names the type too; the key is the field's.
    field = f"{name}.{place[0]}" if place else name
    is_table = bool(place) and get_origin(kind.model_fields[place[0]].annotation) is dict
    if is_table and len(place) > 1:
        field = f"{field}.{place[1]}"
    hint = ""
    if is_table and isinstance(detail["input"], dict):
        hint = f'. A name with a dot in it stands in quotes: {name}.{place[0]}."{place[1]}.…"'
    wanted = f"{_wanted(kind, detail)}{hint}"
    return f"'{field}' is {_shown(detail['input'])}, but must be ", wanted


def _description(kind: type[Section], name: str) -> str:
    return (kind.model_fields[name].description or "it has no default").rstrip(".")


def _wanted(kind: type[Section], detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "string_pattern_mismatch":
        examples = kind.model_fields[str(detail["loc"][0])].examples or [context["pattern"]]
        return f"a text like {', '.join(map(_shown, examples))}"
    if detail["type"] in _BOUNDS:
        words, limit = _BOUNDS[detail["type"]]
        return f"{words} {context[limit]}"
    if detail["type"] == "value_error":
        return str(context["error"])
    return _WANTED.get(detail["type"]) or detail["msg"]


_SHOWN: Mapping[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    str: lambda value: f'"{value}"' if len(value) <= 60 else f'"{value[:57]}…"',
    dict: lambda _: "a table",
    list: lambda _: "a list",
}


def _shown(value: Any) -> str:
    return _SHOWN.get(type(value), str)(value)
