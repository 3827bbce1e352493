"""How the sums of outer products are cut into blocks that the caches hold."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from cellwise.backends.cpu.registers import Form, block_sizes, most_vectors
from cellwise.backends.cpu.target import BYTES, LINE_BYTES


class Piece(NamedTuple):
    """Columns of a second factor that one function sums: in panels, or without packing."""

    packed: bool
    start: int
    n_columns: int


@lru_cache(maxsize=1024)
def pieces(form: Form, n_b: int) -> tuple[Piece, ...]:
    """How the columns of a second factor are cut: what fills panels, and what is left.

    The last vector of a panel is filled up. One or two columns more are not worth that, nor is less
    than half a vector alone worth packing.
    """
    left = n_b % form.lanes
    few = 2 if n_b > form.lanes else form.lanes // 2
    packed = n_b if left > few else n_b - left
    found = Piece(True, 0, packed), Piece(False, packed, n_b - packed)
    return tuple(piece for piece in found if piece.n_columns)


class Blocking(NamedTuple):
    """How `sum_wide` cuts its work, and where in `scratch` the parts lie; sizes count numbers.

    In this order: the addresses of the turned rows, a tile for what hangs over the last column,
    the turned rows, the panels. A line more than needed keeps rows and panels out of each other's
    places in the caches.

    Attributes:
        n_rows: rows that are packed at a time.
    """

    form: Form
    n_rows: int = 256

    @property
    def n_vectors(self) -> int:
        """The width of a panel, in vectors."""
        return most_vectors(self.form.target)

    @property
    def line(self) -> int:
        """Numbers in a line of the cache."""
        return LINE_BYTES // BYTES[self.form.precision]

    @property
    def most_rows(self) -> int:
        """Rows of the largest microkernel."""
        return max(block_sizes(self.form.target, self.n_vectors))

    @property
    def columns(self) -> int:
        """Columns of the first factor that are turned at a time: near 128, whole blocks."""
        step = math.lcm(self.most_rows, self.form.lanes)
        return max(1, 128 // step) * step

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return self.n_vectors * self.form.lanes

    @property
    def row_stride(self) -> int:
        """From one turned row to the next."""
        return self.n_rows + self.line

    @property
    def panel_stride(self) -> int:
        """From one panel to the next."""
        return self.n_rows * self.width + self.line

    @property
    def tile_start(self) -> int:
        """Behind the addresses."""
        return self._lines(self.columns * 8 // BYTES[self.form.precision])

    @property
    def turned_start(self) -> int:
        """Behind the tile."""
        return self.tile_start + self._lines(self.most_rows * self.width)

    @property
    def panels_start(self) -> int:
        """Behind the turned rows."""
        return self.turned_start + self.columns * self.row_stride

    def scratch_items(self, *counts: int) -> int:
        """All of it for second factors of so many columns, and a line to align the start."""
        n_panels = sum(-(-count // self.width) for count in counts)
        return self.panels_start + n_panels * self.panel_stride + self.line

    def _lines(self, items: int) -> int:
        return -(-items // self.line) * self.line
