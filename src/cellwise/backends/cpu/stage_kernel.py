"""What is decided for a stage before its code is emitted, and what its callers must know of it."""

from __future__ import annotations

from typing import NamedTuple

from cellwise.backends.cpu.layout import Layout
from cellwise.backends.cpu.panels import Operand, operands
from cellwise.backends.cpu.registers import most_vectors
from cellwise.backends.cpu.stage_places import StagePlaces, fixed_nodes
from cellwise.backends.cpu.target import BYTES, Precision, Target
from cellwise.passes.stages import Stage

ROWS_AT_ONCE = 24
"""Rows whose products are kept until their elements are computed."""

GROUP_BYTES = 32 * 1024
"""The weights of panels that are taken together: they should stay in the first-level cache."""

MOST_UNITS = 128
"""Units of panels that are taken together, at most: their products must find room, too."""

NEAR_BYTES = 384 * 1024
"""Weights of a stage that stay in the second-level cache from step to step."""

FEW_ROWS = 2
"""Up to so many rows, several panels are computed at once, to have enough sums under way."""


class StageKernel(NamedTuple):
    """A stage with what was decided for it: the vectors' lanes, the products' panels."""

    stage: Stage
    lanes: int
    operands: tuple[Operand, ...]
    places: StagePlaces
    item_bytes: int

    @property
    def n_slots(self) -> int:
        """How many products a unit has."""
        return sum(len(o.slots) for o in self.operands)

    @property
    def is_whole(self) -> bool:
        """Whether one thread computes all units of a row: what sums over them must see them all."""
        return any(piece.is_reduction or piece.is_apart for piece in self.stage.pieces)

    @property
    def weight_bytes(self) -> int:
        """How much memory its weights take."""
        return sum(o.items for o in self.operands) * self.item_bytes

    @property
    def is_far(self) -> bool:
        """Whether the weights are read from beyond the second-level cache in every step."""
        return self.stage.section == "loop" and self.weight_bytes > NEAR_BYTES

    def group(self, at: int) -> int:
        """How many panels of a run have their elements computed together.

        As many as have their weights in the nearest cache: that spares calls, and keeps each
        panel's weights at hand for all rows.
        """
        weights = sum(o.length * len(o.slots) * o.runs[at].width for o in self.operands)
        panels = len(self.operands[0].runs[at].offsets)
        most = MOST_UNITS // self.operands[0].runs[at].width
        return max(1, min(GROUP_BYTES // (weights * self.item_bytes), most, panels))


def stage_kernels(layout: Layout, target: Target, precision: Precision) -> list[StageKernel]:
    """Decide the lanes and the panels of every stage."""
    found = []
    for stage in layout.stages:
        for node in fixed_nodes(stage, layout):
            layout.fixed_index(node)
        lanes = min(target.lanes(precision), 1 << (stage.size.bit_length() - 1))
        found.append(
            StageKernel(
                stage,
                lanes,
                operands(stage, lanes, most_vectors(target), layout.elements),
                StagePlaces(stage, layout),
                BYTES[precision],
            )
        )
    return found
