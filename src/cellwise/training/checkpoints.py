"""The files of a run folder: plain TOML, JSON and safetensors, each replaced in one piece.

    config.toml          the complete configuration, with the equations
    vocabularies.json    what the task learned from the training examples before training
    model.safetensors    the weights of the best epoch
    metrics.jsonl        one JSON object a line
    last/                where training stands: state.json, and the tensors that it names; until
                         there are any, the empty file `begun`

`state.json` is replaced last, and names the tensors' file, so that a run killed at any moment
leaves a checkpoint whose files belong together. Nothing here is ever pickled or unpickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from cellwise.errors import DataError

VERSION = 1
"""The format of `last/`."""

BEGUN = "begun"
"""The file that stands for a first checkpoint that is still to come."""


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file at `path` in one step: readers see the old content or the new, no part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def clear_parts(folder: Path) -> None:
    """Remove what processes that were killed had begun to write in a run folder."""
    for place in (folder, folder / "last"):
        for part in place.glob(".*.part"):
            part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last through a power cut, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON value atomically."""
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())


def read_json(path: Path) -> Any:
    """Read a JSON file of a run folder.

    Raises:
        DataError: it is absent or damaged.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors, atomically; those that share memory are written apart."""
    apart = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, safetensors.torch.save(apart))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file, to the CPU.

    Raises:
        DataError: it is absent or damaged.
    """
    try:
        return safetensors.torch.load(path.read_bytes())
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> None:
    """Put saved weights into a model built from the same configuration.

    Raises:
        DataError: names or shapes are not the model's.
    """
    try:
        model.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise DataError(f"{source} does not fit the model of config.toml: {error}") from error


@dataclass(frozen=True)
class Checkpoint:
    """Where training stands: JSON values, and tensors by group (model, optimiser, random)."""

    state: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, step: int) -> None:
    """Write `last/`, and remove the tensors of the checkpoint before."""
    last = folder / "last"
    flat = {
        f"{group}.{name}": tensor
        for group, tensors in checkpoint.tensors.items()
        for name, tensor in tensors.items()
    }
    file = last / f"step-{step}.safetensors"
    write_tensors(file, flat)
    write_json(last / "state.json", {"version": VERSION, "tensors": file.name, **checkpoint.state})
    (last / BEGUN).unlink(missing_ok=True)
    for old in last.glob("step-*.safetensors"):
        if old != file:
            old.unlink()


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read `last/`.

    Raises:
        DataError: it is absent, damaged, or of another version of Cellwise.
    """
    path = folder / "last" / "state.json"
    state = read_json(path)
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise DataError(f"{path} is not of version {VERSION}, the one that this Cellwise reads")
    if not isinstance(state.get("tensors"), str) or not isinstance(state.get("position"), dict):
        raise DataError(f"{path} is damaged: it lacks 'tensors' or 'position'")
    tensors: dict[str, dict[str, Tensor]] = {}
    for key, tensor in read_tensors(folder / "last" / state["tensors"]).items():
        group, _, name = key.partition(".")
        tensors.setdefault(group, {})[name] = tensor
    return Checkpoint(state, tensors)


def mark_begun(folder: Path) -> None:
    """Note that a training has begun, and no checkpoint of it is there."""
    (folder / "last").mkdir(exist_ok=True)
    (folder / "last" / BEGUN).touch()


def has_begun(folder: Path) -> bool:
    """Whether a training in `folder` ended before its first checkpoint was whole."""
    return (folder / "last" / BEGUN).is_file()


def has_checkpoint(folder: Path) -> bool:
    """Whether training can go on from `folder`."""
    return (folder / "last" / "state.json").is_file()
