"""The normal form of a bound cell's programs, found once: whether there is one, and what it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from cellwise.backends.base import Bound, Direction, NodesBound
from cellwise.passes.normal import Normal, RefusedError, normalise
from cellwise.passes.program import Program


@dataclass(frozen=True, eq=False)
class RowsBound:
    """A cell over nodes, or what it is at leaves, as programs over rows; otherwise as `Bound`."""

    forward: Program
    backward: Program
    sizes: tuple[tuple[str, int], ...]
    constants: tuple[tuple[str, float], ...]
    n_labels: int = 0

    def program(self, direction: Direction) -> Program:
        """The cell's program, or that of its derivative."""
        return self.forward if direction == "forward" else self.backward


@lru_cache(maxsize=1024)
def normal_form(bound: Bound | RowsBound, direction: Direction) -> Normal:
    """The normal form of one program.

    Raises:
        RefusedError: it has none.
    """
    normal = normalise(bound.program(direction), dict(bound.sizes))
    if isinstance(bound, RowsBound):
        return replace(normal, states=(), across=normal.states)
    return normal


@lru_cache(maxsize=1024)
def why_none(bound: Bound | RowsBound) -> str:
    """Why a cell or its derivative has no normal form, or an empty text."""
    try:
        normal_form(bound, "forward")
        normal_form(bound, "backward")
    except RefusedError as error:
        return str(error)
    return ""


@lru_cache(maxsize=512)
def parts(bound: NodesBound) -> tuple[RowsBound, RowsBound | None]:
    """A cell over nodes as programs over rows: of its levels, and of leaves with own equations."""
    rows = bound.rows
    assert not isinstance(rows, str)
    numbers = bound.sizes, bound.constants, bound.n_labels
    main = RowsBound(rows.forward, rows.backward, *numbers)
    if rows.forward_leaf is None or rows.backward_leaf is None:
        return main, None
    return main, RowsBound(rows.forward_leaf, rows.backward_leaf, *numbers)
