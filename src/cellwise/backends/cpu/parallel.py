"""Compiled tasks on several threads, on the very workers that torch uses.

What follows on one another goes to them in one call: round after round, and in each round tasks
that do not wait for one another. Between two rounds, all threads meet.

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
from typing import Any, Literal, NamedTuple

import torch

from cellwise.backends.cpu.machine import Library, assemble, kept_image
from cellwise.backends.cpu.once import once
from cellwise.backends.cpu.target import Target, chosen

Runner = Literal["openmp", "threads"]


class Round(NamedTuple):
    """Tasks that do not wait for one another.

    Attributes:
        function: the address of a compiled `void f(void *task)`.
        tasks: the addresses that it is called with, once each.
        held: what their memory lies in.
    """

    function: int
    tasks: Sequence[int]
    held: Any = None


def run(rounds: Sequence[Round], n_threads: int) -> None:
    """Does all tasks of each round before the next round, and returns when all are done.

    Thread i of n takes the tasks i, i + n, i + 2n and so on. Python's lock is free meanwhile.

    Args:
        rounds: the tasks.
        n_threads: how many threads to use at most; torch.get_num_threads() shares torch's own.
    """
    rounds = [one for one in rounds if one.tasks]
    most = max((len(one.tasks) for one in rounds), default=0)
    if most <= 1 or n_threads <= 1:
        for function, tasks, _ in rounds:
            call = _direct(function)
            for task in tasks:
                call(task)
        return
    table, starts = array("q", first_numbers()), []
    table.append(len(rounds))
    for function, tasks, _ in rounds:
        starts.append((len(table) - N_FIRST) * 8)
        table.extend((function, len(tasks), *tasks))
    run_table(table.buffer_info()[0], starts, most, n_threads)


N_FIRST = 4
"""A table begins with what `first_numbers` gives, and the number of rounds."""


def first_numbers() -> tuple[int, int, int]:
    """Functions of OpenMP's, if it is there, that the compiled code finds in a table of rounds."""
    openmp = _openmp()
    return (openmp.thread_number, openmp.n_threads, openmp.barrier) if openmp else (0, 0, 0)


def run_table(
    table: int, starts: Sequence[int], most: int, n_threads: int, *, meets: bool = True
) -> None:
    """As `run`, for rounds that compiled code finds in a table: eight bytes a number.

    Args:
        table: the address: `first_numbers`, the number of rounds, then for each round its function,
            the number of its tasks, and these.
        starts: for each round, where another table would begin of which it were the first round,
            in bytes from this one.
        most: how many tasks a round has, at most.
        n_threads: how many threads to use at most.
        meets: whether `first_numbers` has found OpenMP.
    """
    openmp = None if _forked or not meets else _openmp()
    if most <= 1 or n_threads <= 1:
        for start in starts:
            _code().share(table + start, 0, 1)
    elif openmp is None:
        for start in starts:
            _on_threads(table + start, min(n_threads, most))
    else:
        # A team of another size than torch's would end threads, and start them again afterwards.
        size = min(n_threads, max(most, torch.get_num_threads()))
        openmp.parallel(_code().team, table, size, 0)


def enter(
    place: int, numbers: int, n_numbers: int, holes: int, n_holes: int, addresses: int
) -> None:
    """Copy numbers to a place and enter addresses there, all by compiled code.

    Args:
        place: where to.
        numbers: what is copied, eight bytes each; `n_numbers` of them.
        n_numbers: how many.
        holes: three numbers each: which number to enter, which of the addresses, and how many bytes
            behind it.
        n_holes: how many.
        addresses: where they stand.
    """
    _code().enter(place, numbers, n_numbers, holes, n_holes, addresses)


def openmp_function(name: Literal["barrier", "n_threads"]) -> int:
    """The address of a function of OpenMP's that compiled code calls; 0: there is none."""
    openmp = _openmp()
    return 0 if openmp is None else int(getattr(openmp, name))


MOST_MEETING = 8
"""So many threads at most meet amid a task: to wait for more may take longer than to work."""


def can_meet(n_threads: int) -> bool:
    """Whether tasks on so many threads can wait for one another, and each has a processor."""
    if not 1 < n_threads <= MOST_MEETING or not openmp_function("barrier"):
        return False
    return n_threads <= _n_processors()


@cache
def _n_processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def runner() -> Runner:
    """Whose threads take the tasks now: torch's OpenMP, or Python's."""
    return "threads" if _forked or _openmp() is None else "openmp"


@lru_cache(maxsize=1024)
def _direct(function: int) -> Callable[[int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(function)


def _on_threads(table: int, n_threads: int) -> None:
    share = _code().share
    others = [_pool(n_threads).submit(share, table, i, n_threads) for i in range(1, n_threads)]
    try:
        share(table, 0, n_threads)
    finally:
        wait(others)  # they read what the caller will free


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
    """Functions of an OpenMP library: one to call, three for the compiled code."""

    parallel: ctypes._NamedFuncPointer
    thread_number: int
    n_threads: int
    barrier: int


@cache
def _openmp() -> _OpenMP | None:
    """OpenMP as torch's own module sees it: a symbol is searched in what the module depends on."""
    try:
        library = ctypes.CDLL(torch._C.__file__)
        parallel = library.GOMP_parallel
        called = library.omp_get_thread_num, library.omp_get_num_threads, library.GOMP_barrier
    except (OSError, AttributeError):
        return None
    parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    parallel.restype = None
    return _OpenMP(parallel, *(ctypes.cast(f, ctypes.c_void_p).value or 0 for f in called))


class _Code:
    """The compiled walk over tasks."""

    def __init__(self, target: Target):
        self._library = Library(kept_image(lambda: _image(target), target, "parallel"), target)
        kinds = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
        self.share = ctypes.CFUNCTYPE(None, *kinds)(self._library.address("share"))
        self.team = self._library.address("team")
        tables = [ctypes.c_void_p, *[ctypes.c_void_p, ctypes.c_int64] * 2, ctypes.c_void_p]
        self.enter = ctypes.CFUNCTYPE(None, *tables)(self._library.address("enter"))


@once
def _code() -> _Code:
    return _Code(chosen())


def _image(target: Target) -> bytes:
    from cellwise.backends.cpu.parallel_code import emit_walk

    return assemble(emit_walk(target), target)
