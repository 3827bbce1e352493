"""The normal form of a bound cell's programs, found once: whether there is one, and what it is."""

from __future__ import annotations

from functools import lru_cache

from cellwise.backends.base import Bound, Direction
from cellwise.passes.normal import Normal, RefusedError, normalise


@lru_cache(maxsize=1024)
def normal_form(bound: Bound, direction: Direction) -> Normal:
    """The normal form of one program.

    Raises:
        RefusedError: it has none.
    """
    return normalise(bound.program(direction), dict(bound.sizes))


@lru_cache(maxsize=1024)
def why_none(bound: Bound) -> str:
    """Why a cell or its derivative has no normal form, or an empty text."""
    try:
        normal_form(bound, "forward")
        normal_form(bound, "backward")
    except RefusedError as error:
        return str(error)
    return ""
