"""The tasks, by name: what a configuration's `task = "…"` may say."""

from __future__ import annotations

from typing import Any

from cellwise.tasks.base import Answer, Section, Task
from cellwise.tasks.compose import Compose
from cellwise.tasks.tag import Tag
from cellwise.tasks.transduce import Transduce

TASKS: dict[str, type[Task[Any, Any]]] = {task.name: task for task in (Transduce, Tag, Compose)}

__all__ = ["TASKS", "Answer", "Compose", "Section", "Tag", "Task", "Transduce"]
