"""The processes that work on one search: one decides at a time, and a dead one is noticed.

Each worker holds the lock of a file of its own for as long as it lives, which no crash can leave
locked; a trial tells the name of its worker.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

HAS_LOCKS = importlib.util.find_spec("fcntl") is not None


class Workers:
    """Those who work on the search in a folder; this process is one of them inside `at_work`."""

    def __init__(self, folder: Path):
        self._folder = folder / "workers"
        self._host = socket.gethostname().replace("/", "-")
        self.name = f"{self._host}-{os.getpid()}-{secrets.token_hex(4)}"
        """This worker, unlike all others of any machine."""

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Be known to be alive."""
        self._folder.mkdir(parents=True, exist_ok=True)
        own = self._folder / self.name
        try:
            with contextlib.ExitStack() as stack:
                with self.turn():
                    self._forget_the_dead()
                    stack.enter_context(_locked(own))
                yield
        finally:
            own.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # others are at work there
                self._folder.rmdir()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other worker in this folder decides, and let none decide meanwhile."""
        with _locked(self._folder.parent / ".turn"):
            yield

    def _forget_the_dead(self) -> None:
        for path in self._folder.iterdir():
            if self.is_dead(path.name):
                path.unlink(missing_ok=True)

    def is_alone(self) -> bool:
        """Whether no other worker is known to be alive."""
        names = (path.name for path in self._folder.iterdir())
        return all(name == self.name or self.is_dead(name) for name in names)

    def is_dead(self, name: str) -> bool:
        """Whether a worker is known to be gone; of those elsewhere nothing is known.

        Where the system has no locks, there is one worker at a time, and the others are dead.
        """
        if name == self.name or not name.startswith(f"{self._host}-"):
            return False
        path = self._folder / name
        return not HAS_LOCKS or not path.exists() or not _is_locked(path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which is made if need be."""
    with path.open("ab") as file:
        if HAS_LOCKS:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_locked(path: Path) -> bool:
    import fcntl

    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:  # its worker just went
        return False
    except BlockingIOError:
        return True
    return False
