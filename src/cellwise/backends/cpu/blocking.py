"""How the sums of outer products are cut into blocks that the caches hold."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from cellwise.backends.cpu.registers import Form, block_sizes, most_vectors
from cellwise.backends.cpu.target import BYTES, LINE_BYTES, Target


def outer_widths(target: Target) -> tuple[int, ...]:
    """The widths of the panels that sums are cut into, in vectors, the widest first."""
    return tuple(range(most_vectors(target), 1, -2))


class Piece(NamedTuple):
    """Columns of a second factor that one function sums.

    Attributes:
        width: of its panels, in vectors; 0: nothing is packed.
        start, n_columns: the columns.
    """

    width: int
    start: int
    n_columns: int


@lru_cache(maxsize=1024)
def pieces(form: Form, n_b: int) -> tuple[Piece, ...]:
    """How the columns of a second factor are cut.

    Whole panels of the widest kind first. What is left goes into one more if it fills most of it,
    else into narrower ones. What would leave half of the narrowest empty is not packed at all.
    """
    found, start = [], 0
    for width in outer_widths(form.target):
        columns = width * form.lanes
        left = (n_b - start) % columns
        most = 3 * columns // 4 if width > 2 else columns // 2 if n_b > columns else columns
        count = n_b - start if left > most else n_b - start - left
        if count:
            found.append(Piece(width, start, count))
        start += count
    return (*found, Piece(0, start, n_b - start)) if start < n_b else tuple(found)


class Blocking(NamedTuple):
    """How `sum_wide` cuts its work, and where in `scratch` the parts lie; sizes count numbers.

    In this order: the addresses of the turned rows, a tile for what hangs over the last column,
    the turned rows, the panels. A line more than needed keeps rows and panels out of each other's
    places in the caches.

    Attributes:
        n_vectors: the width of a panel.
        n_rows: rows that are packed at a time.
    """

    form: Form
    n_vectors: int
    n_rows: int = 256

    @property
    def line(self) -> int:
        """Numbers in a line of the cache."""
        return LINE_BYTES // BYTES[self.form.precision]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows of the microkernels, the largest first."""
        return block_sizes(self.form.target, self.n_vectors)

    @property
    def columns(self) -> int:
        """Columns of the first factor that are turned at a time: near 128, whole blocks."""
        step = math.lcm(self.sizes[0], self.form.lanes)
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
        return self.tile_start + self._lines(self.sizes[0] * self.width)

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


def scratch_items(form: Form, *counts: int) -> int:
    """Numbers of scratch that sums with second factors of so many columns need, cut as they are."""
    return max(Blocking(form, width).scratch_items(*counts) for width in outer_widths(form.target))
