"""Compiled tasks on several threads, on the very workers that torch uses.

A second pool beside torch's would compete with OpenMP's threads, which spin for a while after each
of torch's operations. So tasks go to the OpenMP library that torch has loaded. Where there is none,
and in a forked child, whose copy of OpenMP has lost its threads, they go to threads of Python.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import torch

from cellwise.backends.cpu.machine import Library, assemble, kept_image
from cellwise.backends.cpu.target import Target, chosen

Runner = Literal["openmp", "threads"]


def run(function: int, tasks: Sequence[int], n_threads: int) -> None:
    """Calls a compiled `void f(void *task)` once for every task, and returns when all are done.

    Thread i of n takes the tasks i, i + n, i + 2n and so on. Python's lock is free meanwhile.

    Args:
        function: the address of f.
        tasks: the addresses that f is called with.
        n_threads: how many threads to use at most; torch.get_num_threads() shares torch's own.
    """
    if len(tasks) <= 1:
        for task in tasks:
            _direct(function)(task)
        return
    openmp = None if n_threads <= 1 or _forked else _openmp()
    # What the compiled code reads: eight bytes each, the tasks last.
    numbers = (openmp.thread_number, openmp.n_threads) if openmp else (0, 0)
    job = array("q", (function, len(tasks), *numbers, *tasks))
    place = job.buffer_info()[0]
    if n_threads <= 1:
        _code().share(place, 0, 1)
    elif openmp:
        # A team of another size than torch's would end threads, and start them again afterwards.
        size = min(n_threads, max(len(tasks), torch.get_num_threads()))
        openmp.parallel(_code().team, place, size, 0)
    else:
        _on_threads(place, min(n_threads, len(tasks)))


def runner() -> Runner:
    """Whose threads take the tasks now: torch's OpenMP, or Python's."""
    return "threads" if _forked or _openmp() is None else "openmp"


@lru_cache(maxsize=1024)
def _direct(function: int) -> Callable[[int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(function)


def _on_threads(place: int, n_threads: int) -> None:
    share = _code().share
    others = [_pool(n_threads).submit(share, place, i, n_threads) for i in range(1, n_threads)]
    share(place, 0, n_threads)
    wait(others)


@cache
def _pool(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads - 1, thread_name_prefix="cellwise")


_forked = False


def _after_fork() -> None:
    global _forked  # noqa: PLW0603
    _forked = True
    _pool.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@dataclass(frozen=True)
class _OpenMP:
    """Functions of an OpenMP library: one to call, two for the compiled code."""

    parallel: ctypes._NamedFuncPointer
    thread_number: int
    n_threads: int


@cache
def _openmp() -> _OpenMP | None:
    """OpenMP as torch's own module sees it: a symbol is searched in what the module depends on."""
    try:
        library = ctypes.CDLL(torch._C.__file__)
        parallel = library.GOMP_parallel
        numbers = library.omp_get_thread_num, library.omp_get_num_threads
    except (OSError, AttributeError):
        return None
    parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    parallel.restype = None
    number, count = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in numbers)
    return _OpenMP(parallel, number, count)


class _Code:
    """The compiled walk over tasks."""

    def __init__(self, target: Target):
        self._library = Library(kept_image(lambda: _image(target), target, "parallel"), target)
        kinds = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
        self.share = ctypes.CFUNCTYPE(None, *kinds)(self._library.address("share"))
        self.team = self._library.address("team")


@cache
def _code() -> _Code:
    return _Code(chosen())


def _image(target: Target) -> bytes:
    from cellwise.backends.cpu.parallel_code import emit_walk

    return assemble(emit_walk(target), target)
