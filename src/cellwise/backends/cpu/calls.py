"""Lists of calls of compiled functions, made by compiled code on one thread or several."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from cellwise.backends.cpu.drafts import At
from cellwise.backends.cpu.machine import Library, assemble, kept_image
from cellwise.backends.cpu.once import once
from cellwise.backends.cpu.parallel import Round
from cellwise.backends.cpu.target import Target, chosen

MOST_ARGUMENTS = 15
ENTRY = 1 + MOST_ARGUMENTS
"""Numbers an entry of a list takes: the function's address, then its arguments."""


def in_turns(calls: array[int], n_threads: int) -> Round:
    """All calls of a list, ENTRY numbers each: the address of a function, then its arguments.

    The functions take whole numbers and pointers only, and return nothing. Thread i of n makes the
    calls i, i + n and so on; denormal numbers are flushed to zero meanwhile.
    """
    first = calls.buffer_info()[0]
    numbers = array("q")
    for start, step, count in turns(len(calls) // ENTRY, n_threads):
        numbers.extend((first + start, step, count))
    place, count = numbers.buffer_info()
    return Round(function(), range(place, place + count * 8, 24), (calls, numbers))


def turns(n_calls: int, n_threads: int) -> list[tuple[int, int, int]]:
    """For each thread, where its first call stands, and how many bytes on the next; how many."""
    n_threads = max(1, min(n_threads, n_calls))
    step, threads = ENTRY * 8, range(n_threads if n_calls else 0)
    return [(at * step, n_threads * step, -(-(n_calls - at) // n_threads)) for at in threads]


def call(callee: int, *arguments: int | At) -> Sequence[int | At]:
    """An entry of a list of calls."""
    return (callee, *arguments, *([0] * (MOST_ARGUMENTS - len(arguments))))


@once
def _library() -> Library:
    target = chosen()
    return Library(kept_image(lambda: _image(target), target, "calls"), target)


def _image(target: Target) -> bytes:
    from cellwise.backends.cpu.calls_code import emit_calls

    return assemble(emit_calls(target, MOST_ARGUMENTS), target)


@once
def function() -> int:
    """Where the compiled code starts that makes the calls of a task."""
    return _library().address("calls")
