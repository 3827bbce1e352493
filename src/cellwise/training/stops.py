"""Why training can end early: a person's Ctrl-C, or numbers that are no numbers any more."""

from __future__ import annotations

import shlex
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cellwise.errors import CellwiseError


class StoppedError(CellwiseError):
    """Training was stopped by Ctrl-C or a signal to end; its state is saved."""


class DivergedError(CellwiseError):
    """The loss or its gradient turned infinite or NaN."""


@dataclass
class StopSignal:
    """Whether someone asked to stop."""

    asked: bool = False


PATIENCE = 1.0
"""Seconds in which a second signal counts as the first: some keyboards and shells send two."""


@contextmanager
def watch_signals() -> Iterator[StopSignal]:
    """Turn the first Ctrl-C (or SIGTERM) into a flag for the loop; one a second later breaks off.

    Elsewhere than in the main thread, where Python delivers no signals, the flag stays down.
    """
    stop, since = StopSignal(), [0.0]
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        if not stop.asked:
            stop.asked, since[0] = True, time.monotonic()
        elif time.monotonic() - since[0] >= PATIENCE:
            raise KeyboardInterrupt(
                "stopped by a second Ctrl-C; what was done since the last checkpoint is not saved"
            )

    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, handle) for kind in kinds}
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def as_typed(path: Path) -> str:
    """A path as a shell takes it: quoted, if it needs that."""
    return shlex.quote(str(path))


def stopped(folder: Path, step: int) -> StoppedError:
    """What is said after Ctrl-C."""
    return StoppedError(
        f"Stopped after step {step}; everything is saved. Go on with:\n"
        f"  cellwise train {as_typed(folder)} --resume"
    )


def diverged(  # noqa: PLR0913 - all that is said
    what: str,
    value: float,
    *,
    where: str,
    rate: float,
    highest: float,
    folder: Path,
    saved: int | None,
) -> DivergedError:
    """What is said when `what` ("the loss" or "the gradient") is no finite number somewhere.

    `rate` is the learning rate there, `highest` that of the configuration.
    """
    lines = [
        f"{what} became {value} {where}, with learning rate {rate:.3g}.",
        "  Try a smaller training.learning_rate, more training.warmup_steps, or a smaller "
        "training.clip_norm.",
    ]
    if saved is None:
        lines.append("  No checkpoint was written yet.")
    else:
        lines += [
            f"  The checkpoint of step {saved} is kept. Go on from there with:",
            f"  cellwise train {as_typed(folder)} --resume "
            f"--set training.learning_rate={highest / 3:.1g}",
        ]
    return DivergedError("\n".join(lines))
