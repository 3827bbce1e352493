"""A program compiled for this machine: its code, and what to feed it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from cellwise.backends.base import Bound, Direction
from cellwise.backends.cpu.calls import call
from cellwise.backends.cpu.drafts import At, Draft
from cellwise.backends.cpu.layout import Key, Layout, lay_out
from cellwise.backends.cpu.machine import Library, assemble, assembly, kept_image
from cellwise.backends.cpu.normal_form import RowsBound, normal_form
from cellwise.backends.cpu.panels import Chunk, Source, chunks_of, sources
from cellwise.backends.cpu.parallel import can_meet
from cellwise.backends.cpu.runtime import runtime
from cellwise.backends.cpu.stage_kernel import (
    FEW_ROWS,
    NEAR_BYTES,
    ROWS_AT_ONCE,
    StageKernel,
    stage_kernels,
)
from cellwise.backends.cpu.target import BYTES, LINE_BYTES, Precision, Target
from cellwise.backends.cpu.work import Integers, Work, address_of
from cellwise.graph.node import Node, walk
from cellwise.graph.system import Equation, System
from cellwise.passes.content import content
from cellwise.passes.normal import Normal
from cellwise.passes.stages import Elements, stages
from cellwise.passes.sums import terms

CHUNK_BYTES = 192 * 1024
"""What the buffers of a chunk may take: they should stay in the second-level cache."""

MOST_CHUNK_ROWS = 504
"""More would gain nothing: products have rows enough."""

SHARED = ((2, NEAR_BYTES), (8, 1536 * 1024))
"""Up to so many rows a thread, and from so many bytes of a stage's weights on, threads share rows.

A cache of the second level holds the latter no longer, and half of them it may.
"""

LEAST_SHARED_BYTES = 96 * 1024
"""Fewer weights than these are read sooner than threads have met."""


@dataclass(frozen=True)
class Pack:
    """One block of weights on its way into panels.

    Attributes:
        stage, operand: which packed weights.
        source: where the weights come from.
        units: for each block of the panels, its first unit.
        places: where it goes.
        step: how far apart the vectors of successive elements of the operand are.
    """

    stage: int
    operand: int
    source: Source
    lanes: int
    units: Integers
    places: Integers
    step: int


BEHIND = ("total", "total_labelled", "first")
"""What is known behind all rows alone."""


class Closing(NamedTuple):
    """A sum, or a piece of one.

    Attributes:
        sum: which.
        cut: the number of the list of pieces, among `Compiled.cuts`; -1: it is the whole sum.
        piece: the number of the piece.
        minus: whether it is taken off the others of its line.
    """

    sum: Node
    cut: int = -1
    piece: int = 0
    minus: bool = False


class Compiled:
    """One direction of a bound cell, for one precision and the signals to keep."""

    def __init__(
        self,
        bound: Bound | RowsBound,
        direction: Direction,
        keep: tuple[str, ...],
        precision: Precision,
        target: Target,
    ):
        self.program, self.direction = bound.program(direction), direction
        self.sizes, self.constants = dict(bound.sizes), dict(bound.constants)
        self.precision, self.target, self.keep = precision, target, keep
        self.n_labels = bound.n_labels if isinstance(bound, RowsBound) else 0
        self.normal: Normal = normal_form(bound, direction)
        elements = Elements(self.sizes)
        found = stages(self.normal, self.sizes, keep)
        self.shapes = {
            name: tuple(size.evaluate(self.sizes) for size in value.shape)
            for lines in self.normal.sections.values()
            for name, value in lines
        }
        self.layout: Layout = lay_out(self.normal, found, elements, keep)
        self.item_bytes = BYTES[precision]
        self.kernels: Sequence[StageKernel] = stage_kernels(self.layout, target, precision)
        parts = (content(self.program.system), repr((bound.sizes, bound.constants)))
        entry = kept_image(self._made, target, "kernel", *parts, repr(keep), precision)
        keys, image = entry.split(b"\n", 1)
        self.keys: Sequence[Key] = [tuple(key) for key in json.loads(keys)]
        self._library = Library(image, target)
        self.address = self._library.address("kernel")

    def _made(self) -> bytes:
        """What is kept on disk: a line with the frame's keys, then the object file."""
        from cellwise.backends.cpu.kernel import Emission
        from cellwise.backends.cpu.trace import trace

        emission = Emission(self.layout, self.kernels, self.constants, self.target, self.precision)
        text = emission.text()
        name = f"{self.program.system.output}_{self.precision}"
        trace(name, lambda: self._stages_as_text(text))
        keys = json.dumps(emission.frame.keys).encode()
        return keys + b"\n" + assemble(text, self.target)

    def _stages_as_text(self, text: str) -> dict[str, str]:
        """Each stage of compilation, for people."""
        from cellwise.backends.cpu.stages_text import program_as_text, stages_as_text
        from cellwise.backends.cpu.trace import spills

        optimised, listing = assembly(text, self.target)
        return {
            "1_program.txt": program_as_text(self.program),
            "2_stages.txt": stages_as_text(self.kernels, self.layout),
            "3_emitted.ll": text,
            "4_optimised.ll": optimised,
            "5_assembly.s": listing,
            "6_spills.txt": spills(listing, self.target),
        }

    @cached_property
    def outside(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what comes from outside: parameters, and rows of signals."""
        return shapes_outside(self.program.system, self.sizes)

    @cached_property
    def packs(self) -> tuple[Pack, ...]:
        """All that must be packed before a sweep."""
        return tuple(
            pack
            for number, kernel in enumerate(self.kernels)
            for pack in self._labelled(kernel, _packs(number, kernel, self.layout.elements))
        )

    def _labelled(self, kernel: StageKernel, found: Iterator[Pack]) -> Iterator[Pack]:
        """The blocks of a stage's weights, for each label if labels choose them."""
        if not kernel.stage.is_labelled:
            yield from found
            return
        for pack in found:
            items = kernel.operands[pack.operand].items
            for label in range(self.n_labels):
                source = pack.source._replace(label=label)
                yield replace(pack, source=source, places=pack.places + label * items)

    @cached_property
    def weight_offsets(self) -> dict[tuple[int, int], int]:
        """Where the packed weights of each stage and operand begin, in bytes, each on a line."""
        return dict(zip(self._weights, self._weight_ends, strict=False))

    @property
    def weight_bytes(self) -> int:
        """How much memory all packed weights take."""
        return self._weight_ends[-1]

    @cached_property
    def _weights(self) -> dict[tuple[int, int], int]:
        """How many numbers the packed weights of each stage and operand are."""
        return {
            (stage, number): operand.items * (self.n_labels if kernel.stage.is_labelled else 1)
            for stage, kernel in enumerate(self.kernels)
            for number, operand in enumerate(kernel.operands)
        }

    @cached_property
    def _weight_ends(self) -> tuple[int, ...]:
        line = LINE_BYTES // self.item_bytes
        padded = [-(-count // line) * LINE_BYTES for count in self._weights.values()]
        return tuple(accumulate(padded, initial=0))

    @cached_property
    def computed(self) -> dict[Node, str]:
        """What is the same in all rows and no parameter, and how drafts call it."""
        packed = [pack.source.node for pack in self.packs]
        found = [node for node in (*packed, *self.layout.fixed) if not _is_parameter(node)]
        return {node: f"fixed {number}" for number, node in enumerate(dict.fromkeys(found))}

    def need_of(self, node: Node) -> str:
        """How drafts call something that is the same in all rows."""
        return f"parameter {node.attributes[0]}" if _is_parameter(node) else self.computed[node]

    @cached_property
    def pack_calls(self) -> Draft:
        """The calls that pack, of matrices that lie in order."""
        draft = Draft()
        draft.held = packs = self.packs
        for pack in packs:
            source, code = pack.source, runtime(self.target, self.precision, pack.lanes)
            n_rows, n_columns = (size.evaluate(self.sizes) for size in source.node.shape)
            unit, step = (1, n_columns) if source.turned else (n_columns, 1)
            offset = source.row * unit + max(source.label, 0) * n_rows * n_columns
            matrix = At(self.need_of(source.node), offset * self.item_bytes)
            out = At("weights", self.weight_offsets[pack.stage, pack.operand])
            blocks = len(pack.units), address_of(pack.units), address_of(pack.places)
            numbers = (matrix, unit, step, source.n_columns, *blocks, out, pack.step)
            draft.add(call(code.address("pack"), *numbers))
        return draft

    @property
    def sums(self) -> list[tuple[str, list[Closing]]]:
        """Those lines of the totals, by name, that add up sums and pieces of them."""
        return self._closings[0]

    @property
    def cuts(self) -> list[tuple[Node, list[int]]]:
        """The sums of which lines of the totals have pieces, and how many rows each piece has."""
        return self._closings[1]

    @property
    def expressions(self) -> list[Equation]:
        """The other lines of the totals, which are computed of sums in other ways."""
        return self._closings[2]

    @property
    def computes(self) -> bool:
        """Whether something is computed of parameters, ahead of the rows or behind them."""
        return bool(self.computed or self.expressions)

    @cached_property
    def _closings(
        self,
    ) -> tuple[list[tuple[str, list[Closing]]], list[tuple[Node, list[int]]], list[Equation]]:
        cuts: list[tuple[Node, list[int]]] = []
        sums, expressions = [], []
        for line in self.program.totals:
            parts = sorted(terms(line.value, fixed=True), key=lambda term: term[0])
            found = [self._closing(node, cuts, minus=minus) for minus, node in parts]
            whole = [closing for closing in found if closing is not None]
            if len(whole) == len(found) and {n.shape for _, n in parts} == {line.value.shape}:
                sums.append((line.name, whole))
            else:
                expressions.append(line)
        return sums, cuts, expressions

    def _closing(
        self, node: Node, cuts: list[tuple[Node, list[int]]], *, minus: bool
    ) -> Closing | None:
        """A term of a line of the totals, if it is a sum or a piece of one; enters the cut."""
        summed = {total.node for total in self.normal.totals}
        if node in summed:
            return Closing(node, minus=minus)
        if node.operation != "part" or node.arguments[0] not in summed:
            return None
        cut = node.arguments[0], self.layout.elements.pieces(node)
        if cut not in cuts:
            cuts.append(cut)
        return Closing(cut[0], cuts.index(cut), int(str(node.attributes[0])), minus)

    @cached_property
    def given(self) -> frozenset[str]:
        """The kept signals that go to the user: the output, or the cotangents of inputs."""
        system = self.program.system
        return frozenset([system.output] if self.direction == "forward" else self.keep)

    @cached_property
    def makes_all(self) -> bool:
        """Whether a sweep makes all that it gives: no kept signal or total comes from outside."""
        own = set(self.layout.kept)
        return own.issuperset(self.keep) and all(map(self._is_of_sums, self.expressions))

    def _is_of_sums(self, line: Equation) -> bool:
        """Whether an expression is made of sums and last states, and parameters beside them."""
        below = [n for n in walk([line.value]) if n.operation in BEHIND and not n.varies]
        summed = {total.node for total in self.normal.totals}
        return bool(below) and all(n in summed or n.operation == "first" for n in below)

    def may_share(self, shares: Sequence[Work], n_threads: int) -> bool:
        """Whether it is worth a try that threads have all rows together, each some of the units.

        Of few rows, weights take longer to read than to multiply: then each thread reads a part of
        them. And where there are fewer sequences than threads, all threads have work.
        """
        if not shares or not can_meet(n_threads):
            return False
        loop = [kernel for kernel in self.kernels if kernel.stage.section == "loop"]
        weights = max((kernel.weight_bytes for kernel in loop), default=0)
        if len(shares) < n_threads:
            return weights >= LEAST_SHARED_BYTES
        rows = max(share.most for share in shares)
        return any(rows <= most and weights > n_bytes for most, n_bytes in SHARED)

    @cached_property
    def chunk_rows(self) -> int:
        """How many rows a chunk may have."""
        names = set(self.layout.chunk)
        wide = sum(self.layout.sizes[name] for name in names) * self.item_bytes
        rows = CHUNK_BYTES // max(wide, 1)
        rows = max(4 * ROWS_AT_ONCE, min(rows, MOST_CHUNK_ROWS))
        return rows - rows % ROWS_AT_ONCE

    @cached_property
    def tile_items(self) -> int:
        """How many numbers the products of a block of rows are, at most."""
        most = 1
        for kernel in self.kernels:
            if kernel.operands:
                runs = enumerate(kernel.operands[0].runs)
                width = max(kernel.group(at) * run.width for at, run in runs)
                block = ROWS_AT_ONCE * kernel.n_slots * width
                most = max(most, block, FEW_ROWS * kernel.n_slots * kernel.stage.size)
        return most

    @cached_property
    def n_columns(self) -> int:
        """The widest table of addresses."""
        return max([len(k.places.order) for k in self.kernels] + [1])

    @cached_property
    def n_operands(self) -> int:
        """The most operands that a stage has."""
        return max([len(k.operands) for k in self.kernels] + [1])


def shapes_outside(system: System, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The shapes of parameters, and of a row of each signal that is read or passed on."""
    shapes = dict(system.parameters)
    for name in (*system.inputs, *system.given, *system.states):
        shapes[name] = system.shape_of(name)
    return {n: tuple(d.evaluate(sizes) for d in shape) for n, shape in shapes.items()}


def _is_parameter(node: Node) -> bool:
    return node.operation in ("parameter", "labelled")


def _packs(number: int, kernel: StageKernel, elements: Elements) -> Iterator[Pack]:
    """The blocks of a stage's weights, in the order in which `chunks_of` reads them."""
    n_runs = len(kernel.operands[0].runs) if kernel.operands else 0
    for at in range(n_runs):
        for chunk in chunks_of(kernel.operands, at, kernel.lanes):
            for vector in range(chunk.n_vectors):
                yield from _vector_packs(number, kernel, chunk, vector, elements)


def _vector_packs(
    number: int, kernel: StageKernel, chunk: Chunk, vector: int, elements: Elements
) -> Iterator[Pack]:
    """One vector of a chunk: another product's units, or the next units of the only one."""
    lanes, run, operand = kernel.lanes, chunk.run, chunk.operand
    slot = chunk.slot - operand.first + vector if chunk.together else 0
    matrix, row = operand.slots[slot]
    units = np.array(run.offsets, dtype=np.int64) + (0 if chunk.together else vector * lanes)
    panels = np.arange(len(run.offsets), dtype=np.int64) * chunk.panel_items
    places = run.base + chunk.skipped + panels + vector * lanes
    step = chunk.n_vectors * lanes
    for source in sources(matrix, row, kernel.stage.size, elements):
        to = places + source.column * step
        yield Pack(number, chunk.number, source, lanes, units, to, step)


@lru_cache(maxsize=512)
def compiled(
    bound: Bound | RowsBound,
    direction: Direction,
    keep: tuple[str, ...],
    precision: Precision,
    target: Target,
) -> Compiled:
    """The compiled program, kept for the next call."""
    return Compiled(bound, direction, keep, precision, target)
