"""How the sums of outer products are cut into blocks that the caches hold."""

from __future__ import annotations

import math
from typing import NamedTuple

from cellwise.backends.cpu.registers import Form, block_sizes
from cellwise.backends.cpu.target import BYTES, LINE_BYTES

N_VECTORS = 2
"""The width of a panel, in vectors."""


class Blocking(NamedTuple):
    """How `sum_outer` cuts its work, and where in `scratch` the parts lie; sizes count numbers.

    In this order: the addresses of the turned rows, a tile for what hangs over the last column,
    the turned rows, the panels. A line more than needed keeps rows and panels out of each other's
    places in the caches.
    """

    form: Form
    n_rows: int = 256

    @property
    def line(self) -> int:
        """Numbers in a line of the cache."""
        return LINE_BYTES // BYTES[self.form.precision]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Rows of the microkernels, the largest first; each about half of the one before."""
        most = max(block_sizes(self.form.target, N_VECTORS))
        return tuple(most >> k for k in range(most.bit_length()))

    @property
    def columns(self) -> int:
        """Columns of the first factor that are turned at a time: near 128, whole blocks."""
        step = math.lcm(self.sizes[0], self.form.lanes)
        return max(1, 128 // step) * step

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return N_VECTORS * self.form.lanes

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

    def scratch_items(self, n_b: int) -> int:
        """All of it, and a line to align the start."""
        return self.panels_start + -(-n_b // self.width) * self.panel_stride + self.line

    def _lines(self, items: int) -> int:
        return -(-items // self.line) * self.line
