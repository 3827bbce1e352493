"""Bound cells under keys that name their content: what a torch operation can be given as text."""

from __future__ import annotations

import hashlib
from typing import Generic, TypeVar

from cellwise.errors import BackendError

Bound = TypeVar("Bound")


class Known(Generic[Bound]):
    """The bound cells of this process; equal ones are one, so that what is kept of them is, too."""

    def __init__(self) -> None:
        self._bound: dict[str, Bound] = {}

    def add(self, bound: Bound, content: str) -> str:
        """Make a bound cell known; its key."""
        key = hashlib.sha256(content.encode()).hexdigest()[:32]
        self._bound.setdefault(key, bound)
        return key

    def __call__(self, key: str) -> Bound:
        """What was bound under a key.

        Raises:
            BackendError: nothing was, in this process.
        """
        if key not in self._bound:
            raise BackendError(f"no cell is bound as {key}: build its layer in this process first")
        return self._bound[key]
