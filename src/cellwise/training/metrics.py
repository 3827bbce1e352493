"""`metrics.jsonl`, one JSON object a line; the same numbers for TensorBoard, when installed."""

from __future__ import annotations

import importlib.util
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]


class MetricsFile:
    """Appends lines to a run's metrics; `size_bytes` is where the next one starts."""

    def __init__(self, folder: Path, *, tensorboard: bool, size_bytes: int = 0, step: int = 0):
        """Open the file; what follows `size_bytes`, after the checkpoint at `step`, is dropped."""
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / "metrics.jsonl").open("ab")
        os.truncate(self._file.fileno(), min(size_bytes, self._file.tell()))
        self._file.seek(0, os.SEEK_END)
        self._curves = _curves(folder, step) if tensorboard else None

    @property
    def size_bytes(self) -> int:
        """The length of the file so far."""
        return self._file.tell()

    def write(self, line: Line) -> None:
        """Append one line; its "part" names the curves and its "step" is their abscissa.

        What JSON cannot say, NaN and infinity, becomes null.
        """
        line = {name: None if _is_wild(value) else value for name, value in line.items()}
        self._file.write(f"{json.dumps(line, ensure_ascii=False)}\n".encode())
        self._file.flush()
        if self._curves is not None:
            for name, value in line.items():
                if isinstance(value, float):
                    self._curves.add_scalar(f"{line['part']}/{name}", value, line["step"])

    def close(self) -> None:
        """Close the file and the curves."""
        self._file.close()
        if self._curves is not None:
            self._curves.close()


def _is_wild(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _curves(folder: Path, step: int) -> Any:
    """A TensorBoard writer that hides what was written after `step`; None if not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's `metrics.jsonl`."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
