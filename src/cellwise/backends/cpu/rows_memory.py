"""Signals over rows in one piece of memory, each on a line of its own.

For a schedule that comes again the places are worked out once; for any forest they are found anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.target import LINE_BYTES


def placed(code: Compiled, names: Sequence[str], n_rows: int) -> tuple[list[tuple[str, int]], int]:
    """Where signals lie in one piece of memory, each on a line; and how large that is."""
    places, at = [], 0
    for name in names:
        places.append((f"rows {name}", at))
        n_bytes = n_rows * prod(code.shapes[name]) * code.item_bytes
        at += on_lines(n_bytes)
    return places, at


class Rows:
    """Signals over rows that lie in one piece of memory, each on a line."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], item_bytes: int):
        self._rows = [(f"rows {name}", prod(shape) * item_bytes) for name, shape in shapes.items()]

    def n_bytes(self, n_rows: int) -> int:
        """How large the memory is."""
        return sum(on_lines(n_rows * row_bytes) for _, row_bytes in self._rows)

    def places(self, n_rows: int) -> dict[str, int]:
        """Where each signal lies, by what its address is called."""
        found, at = {}, 0
        for need, row_bytes in self._rows:
            found[need] = at
            at += on_lines(n_rows * row_bytes)
        return found


def on_lines(n_bytes: int) -> int:
    """So many bytes and what is missing to a whole line."""
    return -(-n_bytes // LINE_BYTES) * LINE_BYTES
