"""A contender in a process of its own, which can be given up when it compiles for too long."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cellwise.bench.worker import TITLES, described
from cellwise.bench.workload import Workload
from cellwise.errors import BackendError

_COMPILERS = ("c++", "g++", "clang++", "cl")


class EndedError(BackendError):
    """A contender's process has ended.

    Attributes:
        contender: the one whose process it was.
    """

    def __init__(self, message: str, contender: object):
        super().__init__(message)
        self.contender = contender


class Remote:
    """A contender in a process of its own.

    Args:
        peer: "compiled" or "jax".
        workload: what to compute.
        limit_s: how long building may take.

    Attributes:
        build_seconds: what building and the first call took.

    Raises:
        BackendError: it cannot be had, or took too long.
    """

    note = ""

    def __init__(self, peer: str, workload: Workload, *, limit_s: float):
        if peer == "compiled" and not has_compiler():
            raise BackendError("torch.compile needs a C++ compiler, and there is none")
        self.title = TITLES[peer]
        self.note = "padded, with a mask" if workload.ragged else ""
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cellwise.bench.worker", peer, described(workload)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=_environment(workload.threads, self._folder.name),
            start_new_session=True,  # Ctrl-C is ours alone, and the whole session can be ended
        )
        first = self._first_answer(limit_s)
        if "skipped" in first:
            self.close()
            raise BackendError(first["skipped"])
        self.build_seconds: float = first["build_seconds"]

    def _first_answer(self, limit_s: float) -> Mapping[str, Any]:
        too_long = threading.Event()

        def give_up() -> None:
            too_long.set()
            self._end()

        timer = threading.Timer(min(limit_s, threading.TIMEOUT_MAX), give_up)
        timer.start()
        try:
            return self._answer()
        except BackendError:
            if too_long.is_set():
                raise BackendError(f"still compiling after {limit_s:g} s") from None
            raise
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def seconds(self, repeats: int) -> float:
        """The seconds that a call takes, over so many calls."""
        assert self._process.stdin is not None
        if self._process.stdin.closed:
            raise self._ended()
        try:
            self._process.stdin.write(f"{repeats}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._ended() from error
        return float(self._answer()["seconds"])

    def _ended(self) -> EndedError:
        self.close()
        return EndedError(f"its process ended with status {self._process.returncode}", self)

    def _end(self) -> None:
        if self._process.poll() is not None:
            return
        if hasattr(os, "killpg"):
            os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()

    def close(self) -> None:
        """End the process."""
        self._end()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was still to be written goes nowhere
                    stream.close()
        self._folder.cleanup()


def has_compiler() -> bool:
    """Whether there is a C++ compiler for torch.compile."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", ""), *_COMPILERS) if name)


def _environment(threads: int, folder: str) -> dict[str, str]:
    """A process with so many threads whose compiler finds nothing that it made before."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TORCHINDUCTOR_CACHE_DIR": folder,
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
        "JAX_PLATFORMS": "cpu",
    }
