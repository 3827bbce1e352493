"""Which of two ways to take, where it depends on what else the machine does."""

from __future__ import annotations

from collections import deque

MEMORY = 4
"""So many of the last times of a way count, by the best of them: one alone may be an accident."""

TRIES = 2
"""How often each way is tried before one is chosen."""

AGAIN = 32
"""After so many choices the other way is tried again; after twice as many, if it is no better."""

SELDOM = 1024
"""After so many at the latest."""


class Choice:
    """Learns from the time that either way takes; both give the same result."""

    def __init__(self) -> None:
        self._times = deque[float](maxlen=MEMORY), deque[float](maxlen=MEMORY)
        self._best, self._wait, self._left = 0, AGAIN, AGAIN

    def way(self) -> int:
        """The way to take next, 0 or 1."""
        first, second = self._times
        if len(second) < TRIES or len(first) < TRIES:
            return int(len(second) < len(first))
        best = int(min(second) < min(first))
        if best != self._best:
            self._best, self._wait, self._left = best, AGAIN, AGAIN
        self._left -= 1
        if self._left > 0:
            return best
        self._wait = self._left = min(2 * self._wait, SELDOM)
        return 1 - best

    def took(self, way: int, time: float) -> None:
        """Remember what a way took; in any unit, always the same."""
        self._times[way].append(time)
