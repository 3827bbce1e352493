"""What is compiled once and kept on disk between processes."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

from cellwise.backends.cache import key_of, user_store


def kept(make: Callable[[], bytes], *parts: str) -> bytes:
    """What was made before of the same parts, else what `make` makes now.

    The key holds the library's version and its sources, too.
    """

    def made() -> bytes:
        with _uncollected():
            return make()

    return user_store().made(key_of(_version(), _sources(), *parts), made)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for cyclic garbage meanwhile.

    Emission makes so many objects that Python would look through all of torch's, in vain.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@cache
def _version() -> str:
    try:
        return metadata.version("cellwise")
    except metadata.PackageNotFoundError:  # used from a folder, not installed
        return ""


@cache
def _sources() -> str:
    """A digest of all that decides what is emitted: a changed source never meets old code."""
    root = Path(__file__).parents[1]
    found = hashlib.sha256()
    for room in ("graph", "autodiff", "passes", "backends"):
        for path in sorted((root / room).rglob("*.py")):
            found.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return found.hexdigest()
