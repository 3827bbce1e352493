"""Small language models in double precision, for the tests of `language_model`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from cellwise.tasks.language_model import LanguageModelling
from cellwise.tasks.language_model_config import (
    LanguageModelData,
    LanguageModelDecoding,
    LanguageModelModel,
)
from cellwise.tasks.language_model_network import LanguageModel

SMALL = {"hidden_size": 6, "embedding_size": 5, "num_layers": 2, "window": 4, "dropout": 0.0}
LINES = ("the sea sings", "a sea", "", "the wind sings and sings", "so does the sea", "a wind")


def write(folder: Path, *lines: str, name: str = "train.txt") -> str:
    """A file of lines, and its name."""
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def task_of(path: str, *, model: dict[str, Any] | None = None, **data: Any) -> Any:
    """The task of a text that is all its parts."""
    files = {"train": path, "dev": path, "test": path}
    return LanguageModelling(
        LanguageModelData(**{**files, **data}),
        LanguageModelModel(**{**SMALL, **(model or {})}),
        LanguageModelDecoding(),
    )


def built(task: LanguageModelling) -> LanguageModel:
    """A model of the task's own text, in float64 and eval mode, with weights that matter."""
    torch.manual_seed(0)
    task.fit(task.read("train"))
    model = task.build().double().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.0)
    return model
