"""Dialogues: turns of two speakers, from the forms in which public data sets come."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cellwise.data.json_values import json_value, whole_text
from cellwise.data.lines import at_least_one, read_lines
from cellwise.data.spooled import Form
from cellwise.errors import ConfigError, DataError

Dialogue = tuple[str, ...]
"""The turns of a dialogue, in order."""

DIALOGUE: Form[Dialogue] = Form(list, tuple)
"""A dialogue as JSON values."""

TURN_END = "__eou__"
"""What ends a turn where a line holds a whole dialogue (the form of DailyDialog)."""


def read_dialogues(path: Path) -> Iterator[Dialogue]:
    """The dialogues of a file as they come; the end of its name, before `.gz`, says its form.

    `.json`: a list of dialogues, each with `"turns"`: texts, or objects with an `"utterance"` (the
    form of Schema-Guided Dialogue). `.jsonl`: such a dialogue a line. `.yml`, `.yaml`: lists of
    turns under `conversations` (the form of chatterbot-corpus). Everything else is text: a turn a
    line and a blank line between dialogues, or a dialogue a line whose turns end in `__eou__`.

    Raises:
        DataError: the file cannot be read, or, at the end, there was no dialogue.
        ConfigError: YAML is to be read, and PyYAML is not installed.
    """
    form = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    dialogues = (_cleaned(turns) for turns in FORMS.get(form, _of_text)(path))
    complaint = f"{path}: the file holds no dialogue"
    return at_least_one((dialogue for dialogue in dialogues if dialogue), complaint)


def _cleaned(turns: Iterator[str] | list[str]) -> Dialogue:
    """The turns without needless blanks and without empty ones."""
    texts = (" ".join(turn.split()) for turn in turns)
    return tuple(text for text in texts if text)


def _of_text(path: Path) -> Iterator[list[str]]:
    turns: list[str] = []
    for _, line in read_lines(path):
        if TURN_END in line:
            yield line.split(TURN_END)
        elif line.strip():
            turns.append(line)
        elif turns:
            yield turns
            turns = []
    yield turns


def _of_json(path: Path) -> Iterator[list[str]]:
    text = "\n".join(line for _, line in read_lines(path))
    values = json_value(text, str(path), more="line")
    if not isinstance(values, list):
        raise DataError(f"{path}: the file must hold a list of dialogues")
    for number, value in enumerate(values, 1):
        yield _turns(value, f"{path}, dialogue {number}")


def _of_json_lines(path: Path) -> Iterator[list[str]]:
    for number, line in read_lines(path):
        if line.strip():
            place = f"{path}, line {number}"
            yield _turns(json_value(line, place), place)


def _of_yaml(path: Path) -> Iterator[list[str]]:
    if importlib.util.find_spec("yaml") is None:
        raise ConfigError(f"{path}: reading YAML needs PyYAML: pip install 'cellwise[demo]'")
    import yaml

    try:
        # The plainest loader makes texts of everything: a turn such as `Yes` or `42`, too.
        text = "\n".join(line for _, line in read_lines(path))
        values = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes nothing but texts
    except yaml.YAMLError as error:
        raise DataError(f"{path}: no YAML: {error}") from error
    except RecursionError as error:
        raise DataError(f"{path}: lists are nested too deep") from error
    conversations = values.get("conversations") if isinstance(values, dict) else None
    if not isinstance(conversations, list):
        raise DataError(f"{path}: the file must hold a list under 'conversations'")
    for number, value in enumerate(conversations, 1):
        # The package has an entry that is a text: a dialogue of one turn.
        turns = [value] if isinstance(value, str) else value
        yield _turns(turns, f"{path}, conversation {number}")


def _turns(value: Any, place: str) -> list[str]:
    """The texts of a dialogue's turns."""
    turns = value.get("turns") if isinstance(value, dict) else value
    if not isinstance(turns, list):
        raise DataError(f'{place}: a dialogue must be a list of turns, or an object with "turns"')
    return [_text(turn, f"{place}: turn {number}") for number, turn in enumerate(turns, 1)]


def _text(turn: Any, place: str) -> str:
    text = turn.get("utterance") if isinstance(turn, dict) else turn
    if not isinstance(text, str):
        raise DataError(f'{place} must be a text, or an object with an "utterance"')
    return whole_text(text, "its text", place)


FORMS: Mapping[str, Callable[[Path], Iterator[list[str]]]] = {
    ".json": _of_json,
    ".jsonl": _of_json_lines,
    ".yaml": _of_yaml,
    ".yml": _of_yaml,
}
"""How a file is read whose name ends so; others are text."""
