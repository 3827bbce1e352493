"""Processes that train together on this machine, started and looked after by one that does not.

The first of them says what there is to report, and the reporter here shows it. Ctrl-C stops them
all, and an error in one of them ends the others.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

import torch

from cellwise.errors import CellwiseError, ConfigError, DataError
from cellwise.training.member import Work, join
from cellwise.training.progress import Reporter
from cellwise.training.stops import DivergedError, StoppedError, watch_signals

GRACE_S = 5.0
"""How long the others have to tell what is wrong with them, once one of them has ended badly."""

_ERRORS = {kind.__name__: kind for kind in (ConfigError, DataError, DivergedError, StoppedError)}


class LostProcessError(CellwiseError):
    """A process that trained along was ended from outside."""


class FailedProcessError(RuntimeError):
    """A process that trained along failed by a mistake in the program; its traceback."""


@dataclass
class Member:
    """One of the processes; what it `said` last is how it ended, and `at` is when it said so."""

    process: SpawnProcess
    connection: Connection
    said: tuple[Any, ...] = ()
    at: float = 0.0
    listening: bool = True

    def hear(self, reporter: Reporter) -> None:
        """Take in what it sends next: something to report, or how it ended."""
        try:
            kind, *values = self.connection.recv()
        except (EOFError, OSError):  # the latter amid a message
            self.listening = False
            self.process.join()
            return
        if hasattr(Reporter, kind):
            getattr(reporter, kind)(*values)
        else:
            self.said, self.at = (kind, *values), time.monotonic()

    @property
    def failed(self) -> bool:
        """Whether it ended without a result."""
        return not self.listening and self.said[:1] != ("result",)


def train_together(work: Work, count: int, *, threads: int, reporter: Reporter) -> dict[str, Any]:
    """Do `work` in `count` processes of this machine at the same time; the first one's result.

    Args:
        work: what each does; it finds its place in the environment, as torch.distributed wants it.
        count: how many there are.
        threads: those that each has for the CPU's work.
        reporter: told what the first one reports.

    Raises:
        CellwiseError: what went wrong in one of them.
        KeyboardInterrupt: Ctrl-C before there was anything to save, or for the second time.
        FailedProcessError: one has a mistake.
    """
    members: list[Member] = []
    with watch_signals() as stop:
        try:
            with _environment(count, threads), _deaf():
                members += [_start(work, rank) for rank in range(count)]
            told, failed_at = False, 0.0
            while any(m.listening for m in members) and not _late(failed_at):
                if stop.asked and not told:
                    members[0].process.terminate()  # which it takes for Ctrl-C, as all others then
                    told = True
                _listen(members, reporter)
                failed_at = failed_at or any(m.failed for m in members) * time.monotonic()
            return _result(members, asked=stop.asked)
        finally:
            reporter.end()
            for member in members:
                member.process.kill()
                member.process.join()


def check_devices(name: str, count: int) -> None:
    """Every process needs an accelerator of its own, or all of them the CPU.

    Raises:
        ConfigError: there are too few.
    """
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name == "cpu" or (name == "auto" and found is None):
        return
    have = torch.accelerator.device_count()
    if ":" in name or have < count:
        raise ConfigError(
            f"training.processes = {count} needs an accelerator for each process, and "
            f'training.device = "{name}" gives {min(have, 1) if ":" in name else have}; '
            'take fewer processes, or set training.device = "cpu"'
        )


def _start(work: Work, rank: int) -> Member:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=join, args=(work, rank, there), daemon=True)
    process.start()
    there.close()
    return Member(process, here)


def _listen(members: list[Member], reporter: Reporter) -> None:
    open_ones = [member for member in members if member.listening]
    ready = multiprocessing.connection.wait([m.connection for m in open_ones], timeout=0.2)
    for member in open_ones:
        if member.connection in ready:
            member.hear(reporter)


def _late(failed_at: float) -> bool:
    return bool(failed_at) and time.monotonic() - failed_at > GRACE_S


def _result(members: list[Member], *, asked: bool) -> dict[str, Any]:
    """The first one's result; else the error that is most likely the cause of all: an early one."""
    latest_first = sorted(members, key=lambda member: -member.at)
    said = {member.said[0]: member.said for member in latest_first if member.said}
    if "error" in said:
        _, kind, text = said["error"]
        raise _ERRORS.get(kind, CellwiseError)(text)
    ended = [(rank, m) for rank, m in enumerate(members) if m.failed and not m.said]
    if "interrupt" in said or (ended and asked):
        raise KeyboardInterrupt(*said.get("interrupt", ())[1:])
    if ended:
        rank, member = ended[0]
        raise LostProcessError(
            f"process {rank + 1} of the {len(members)} that train together ended with status "
            f"{member.process.exitcode}, perhaps for lack of memory. What was done since the last "
            "checkpoint is lost; go on from there with --resume"
        )
    if "failure" in said:
        raise FailedProcessError(said["failure"][1])
    result: dict[str, Any] = members[0].said[1]
    return result


@contextlib.contextmanager
def _environment(count: int, threads: int) -> Iterator[None]:
    """What the processes inherit: where they find each other, and how many threads they have."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "OMP_NUM_THREADS": str(threads),
    }
    before = {key: os.environ.get(key) for key in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Processes started now ignore Ctrl-C until they can save; it is heard here all the same."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
