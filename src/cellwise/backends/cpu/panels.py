"""Panels: the weights of a stage's products, in the order in which its kernel reads them.

A stage of n units is cut into panels of one or two vectors of units. For each panel the weights of
all products of these units lie together, step of the sum by step of the sum, so that the kernel
reads them once, in order. The last panel overlaps the one before where n is no multiple: it
computes some units twice rather than reading beyond the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cellwise.graph.node import Node
from cellwise.passes.stages import Elements, Stage


class Run(NamedTuple):
    """Panels of equal width.

    Attributes:
        offsets: the first unit of each panel; all but the last are `width` apart.
        width: units a panel, a multiple of the lanes.
        chunks: how many vectors of products each pass over the operand computes.
        base: where in the packed weights the run begins.
    """

    offsets: tuple[int, ...]
    width: int
    chunks: tuple[int, ...]
    base: int

    @property
    def n_regular(self) -> int:
        """How many panels lie exactly `width` apart from the first."""
        pairs = enumerate(self.offsets)
        return sum(1 for place, at in pairs if at == self.offsets[0] + place * self.width)


class Operand(NamedTuple):
    """What a stage multiplies matrices with.

    Attributes:
        node: the read.
        length: how many elements it has.
        slots: for each product, the matrix and its first row.
        first: the number of its first slot among all slots of the stage.
        runs: the panels.
        items: how many numbers the packed weights are.
    """

    node: Node
    length: int
    slots: tuple[tuple[Node, int], ...]
    first: int
    runs: tuple[Run, ...]
    items: int


class Chunk(NamedTuple):
    """Vectors of products of one operand that are computed in one pass over it.

    Attributes:
        number: of the operand.
        operand, run: what it belongs to.
        n_vectors: how many vectors.
        slot: the number of the first product among all of the stage.
        skipped: how many weights of a panel stand before its own.
    """

    number: int
    operand: Operand
    run: Run
    n_vectors: int
    slot: int
    skipped: int

    @property
    def panel_items(self) -> int:
        """How many weights a panel of the run has."""
        return self.operand.length * len(self.operand.slots) * self.run.width

    @property
    def together(self) -> bool:
        """Whether the vectors are those of several products, rather than neighbours of one."""
        return len(self.operand.slots) > 1


def chunks_of(found: tuple[Operand, ...], at: int, lanes: int) -> Iterator[Chunk]:
    """The chunks of all operands in their run number `at`."""
    for number, operand in enumerate(found):
        run = operand.runs[at]
        slot, skipped = operand.first, 0
        for n_vectors in run.chunks:
            yield Chunk(number, operand, run, n_vectors, slot, skipped)
            slot += n_vectors
            skipped += operand.length * n_vectors * lanes


def slots_in_order(stage: Stage) -> list[tuple[Node, int]]:
    """The products of a stage as (matmul, first row), those of one operand together."""
    return [slot for slots in _by_operand(stage).values() for slot in slots]


def _by_operand(stage: Stage) -> dict[Node, list[tuple[Node, int]]]:
    found: dict[Node, list[tuple[Node, int]]] = {}
    for access in stage.slots:
        found.setdefault(access.node.arguments[1], []).append((access.node, access.start))
    return found


def operands(stage: Stage, lanes: int, most: int, elements: Elements) -> tuple[Operand, ...]:
    """The operands of a stage with their panels, in the order of `slots_in_order`.

    Args:
        stage: the stage.
        lanes: units a vector.
        most: how many vectors a pass over an operand had best compute: 2 or 4.
        elements: the sizes.
    """
    found: list[Operand] = []
    groups = _by_operand(stage)
    wide = all(len(slots) == 1 for slots in groups.values())
    first = 0
    for node, slots in groups.items():
        length = elements.size(node)
        cuts = _cut(stage.size, lanes, most if wide else 1)
        runs = tuple(_runs(cuts, (lanes, len(slots), length), most))
        items = sum(len(r.offsets) * r.width * len(slots) * length for r in runs)
        matrices = tuple((product.arguments[0], start) for product, start in slots)
        found.append(Operand(node, length, matrices, first, runs, items))
        first += len(slots)
    return tuple(found)


def _runs(
    cuts: Iterable[tuple[tuple[int, ...], int]], sizes: tuple[int, int, int], most: int
) -> Iterator[Run]:
    lanes, n_slots, length = sizes
    base = 0
    for offsets, width in cuts:
        chunks = (width // lanes,) if n_slots == 1 else _chunks(n_slots, most)
        yield Run(offsets, width, chunks, base)
        base += len(offsets) * width * n_slots * length


def _cut(size: int, lanes: int, most: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """The panels' offsets and widths: up to `most` vectors, and a narrower one for the rest."""
    width = max(lanes, min(most * lanes, lanes << (size // lanes).bit_length() - 1))
    whole, rest = divmod(size, width)
    offsets, last = [at * width for at in range(whole)], -(-rest // lanes) * lanes
    if last == width:
        offsets.append(size - width)
    yield tuple(offsets), width
    if 0 < last < width:
        yield (size - last,), last


def _chunks(n_slots: int, most: int) -> tuple[int, ...]:
    """Passes over the operand that compute `most` vectors of products each, or three."""
    if n_slots <= most:
        return (n_slots,)
    passes = n_slots // 2 if most == 2 else -(-n_slots // most)
    small, larger = divmod(n_slots, passes)
    return (small + 1,) * larger + (small,) * (passes - larger)


class Source(NamedTuple):
    """A block of a matrix to be packed: rows `row` to `row + n_rows` of a fixed node.

    Attributes:
        node: the matrix as torch evaluates it.
        turned: whether rows and columns are exchanged.
        row: the first of its rows, after the exchange.
        column: where its first column stands among the operand's elements.
        n_columns: how many columns it has.
        label: which of the matrices of a node that labels choose; -1 of one that is the only one.
    """

    node: Node
    turned: bool
    row: int
    column: int
    n_columns: int
    label: int = -1


def sources(matrix: Node, row: int, n_rows: int, elements: Elements) -> list[Source]:
    """The parameters that rows of a matrix consist of, from left to right.

    Concatenations are looked through where the rows lie within one piece; what is computed
    otherwise is left to torch.
    """
    return list(_sources(matrix, row, n_rows, elements, turned=False, column=0))


def _shape(node: Node, elements: Elements, *, turned: bool) -> tuple[int, int]:
    rows, columns = (d.evaluate(elements.sizes) for d in node.shape)
    return (columns, rows) if turned else (rows, columns)


def _sources(
    node: Node, row: int, n_rows: int, elements: Elements, *, turned: bool, column: int
) -> Iterator[Source]:
    if node.operation == "transpose":
        inner = node.arguments[0]
        yield from _sources(inner, row, n_rows, elements, turned=not turned, column=column)
        return
    if node.operation == "concat" and turned:  # pieces side by side
        for piece in node.arguments:
            yield from _sources(piece, row, n_rows, elements, turned=True, column=column)
            column += _shape(piece, elements, turned=True)[1]
        return
    if node.operation == "concat":
        at = row
        for piece in node.arguments:
            height = _shape(piece, elements, turned=False)[0]
            if at >= 0 and at + n_rows <= height:
                yield from _sources(piece, at, n_rows, elements, turned=False, column=column)
                return
            at -= height
    yield Source(node, turned, row, column, _shape(node, elements, turned=turned)[1])
