"""What a person sees of the work: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_SECONDS = 5.0


class Reporter:
    """Told how far the work is. This one shows nothing; those below do."""

    def begin(self, name: str, total: int, done: int = 0) -> None:
        """A stretch of work starts, `done` of whose `total` parts are done already.

        Where nobody knows how many there are, `total` is 0.
        """

    def advance(self, count: int, text: str = "") -> None:
        """`count` more parts are done; `text` says how it looks (loss, speed)."""

    def end(self) -> None:
        """The stretch of work is over, finished or not."""

    def note(self, text: str) -> None:
        """Something worth a line of its own."""

    def judged(self, epoch: int, value: float) -> None:
        """An evaluation in an epoch, counted from 1, is saved; an error from here ends the run."""


class PlainLines(Reporter):
    """Writes a line when work starts, then one every few seconds, for logs and pipes."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr
        self._name, self._total, self._done, self._first = "", 0, 0, 0
        self._start = self._shown = 0.0

    def begin(self, name: str, total: int, done: int = 0) -> None:
        self._name, self._total, self._done, self._first = name, total, done, done
        self._start = self._shown = time.monotonic()

    def advance(self, count: int, text: str = "") -> None:
        self._done += count
        now = time.monotonic()
        if now - self._shown < LINE_SECONDS:
            return
        self._shown = now
        fresh = max(1, self._done - self._first)
        left = (now - self._start) / fresh * max(0, self._total - self._done)
        known = bool(self._total)
        done = f"{self._done}/{self._total}" if known else f"{self._done}"
        parts = [f"{self._name}  {done}", text, f"{duration(left)} left" if known else ""]
        self.note("  ".join(part for part in parts if part))

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class Bar(Reporter):
    """A progress bar on a terminal."""

    def __init__(self, console: Console):
        self._console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def begin(self, name: str, total: int, done: int = 0) -> None:
        self.end()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task(name, total=total or None, completed=done, text="")
        self._bar.start()

    def advance(self, count: int, text: str = "") -> None:
        if self._bar is not None:
            self._bar.advance(self._task, count)
            if text:
                self._bar.update(self._task, text=text)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def make_reporter(*, quiet: bool = False) -> Reporter:
    """A bar where standard error is a terminal, lines where it is not, nothing when `quiet`."""
    if quiet:
        return Reporter()
    console = Console(stderr=True)
    return Bar(console) if console.is_terminal else PlainLines()


def duration(seconds: float) -> str:
    """A time in words: "45 s", "3 min 20 s", "2 h 5 min".

    Example:
        >>> duration(200)
        '3 min 20 s'
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
