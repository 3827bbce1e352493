"""A back end that is a little wrong, for tests of what should find that out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cellwise.backends.base import Bound, Direction, Feed, Swept
from cellwise.backends.reference import Reference
from cellwise.backends.schedule import Schedule


class Rough(Reference):
    """The reference, a little wrong where a batch has more than two rows."""

    name = "rough"

    def sweep(
        self,
        bound: Bound,
        direction: Direction,
        feed: Feed,
        schedule: Schedule,
        keep: Sequence[str],
    ) -> Swept:
        swept = super().sweep(bound, direction, feed, schedule, keep)
        if schedule.n_rows <= 2 or direction == "backward":
            return swept
        return replace(swept, rows={name: rows + 0.01 for name, rows in swept.rows.items()})
