"""The tasks, by name: what a configuration's `task = "…"` may say."""

from __future__ import annotations

from typing import Any

from cellwise.tasks.base import Answer, Section, Task
from cellwise.tasks.classify import Classify
from cellwise.tasks.compose import Compose
from cellwise.tasks.converse import Converse
from cellwise.tasks.describe import Describe
from cellwise.tasks.language_model import LanguageModelling
from cellwise.tasks.parse import Parse
from cellwise.tasks.tag import Tag
from cellwise.tasks.transduce import Transduce

TASKS: dict[str, type[Task[Any, Any]]] = {
    task.name: task
    for task in (
        Transduce,
        Tag,
        Classify,
        Compose,
        Converse,
        Describe,
        LanguageModelling,
        Parse,
    )
}

__all__ = [
    "TASKS",
    "Answer",
    "Classify",
    "Compose",
    "Converse",
    "Describe",
    "LanguageModelling",
    "Parse",
    "Section",
    "Tag",
    "Task",
    "Transduce",
]
