"""Stages: what of a step can be computed together, element by element, and what must wait.

A product needs its whole operand, a sum its whole vector. So a step is cut into stages: within one,
every line reads of the others only the element that is at hand; all else was finished before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from cellwise.graph.dimension import Dim
from cellwise.graph.node import Node
from cellwise.passes.normal import REDUCTIONS, Normal, is_labelled
from cellwise.passes.sections import Section


class Piece(NamedTuple):
    """The elements `start` to `start + size` of a line: what one stage computes of it.

    Attributes:
        name: the signal that the line defines.
        value: the whole line's value.
    """

    name: str
    start: int
    size: int
    value: Node

    @property
    def is_apart(self) -> bool:
        """Whether it is computed in a way of its own, and so in a stage of its own."""
        return self.value.operation == "kron"

    @property
    def is_reduction(self) -> bool:
        """Whether it sums over a vector."""
        return self.value.operation in REDUCTIONS and self.value.varies


class Access(NamedTuple):
    """A leaf of an expression: elements `start` to `start + size` of a signal or a product.

    Attributes:
        node: the read, or the product (`matmul`).
    """

    node: Node
    start: int
    size: int


@dataclass(frozen=True)
class Stage:
    """Pieces of one size that are computed together.

    Attributes:
        section: where it runs: over many rows ahead of the loop or behind it, or a level at a time.
        size: of the pieces, or of what they sum over.
        pieces: in order.
        slots: the products that they read, each as an access of a `matmul`.
    """

    section: Section
    size: int
    pieces: tuple[Piece, ...]
    slots: tuple[Access, ...]

    @property
    def is_labelled(self) -> bool:
        """Whether each row has matrices of its own, by its label."""
        return any(is_labelled(slot.node.arguments[0]) for slot in self.slots)

    @cached_property
    def own(self) -> Mapping[tuple[str, int, int], Piece]:
        """The pieces by name, start and size."""
        return {(p.name, p.start, p.size): p for p in self.pieces if not p.is_reduction}


def own_arguments(node: Node) -> tuple[Node, ...]:
    """The arguments of a `gathered` that are the row's own; the others are those of other rows."""
    count = node.attributes[2]
    assert isinstance(count, int)
    return node.arguments[:count]


def other_arguments(node: Node) -> tuple[Node, ...]:
    """The arguments of a `gathered` that are read at other rows."""
    return node.arguments[len(own_arguments(node)) :]


class Elements:
    """Where the elements of expressions come from, with numbers for all sizes."""

    def __init__(self, sizes: Mapping[str, int]):
        self.sizes = sizes
        self._accesses: dict[tuple[Node, int, int], tuple[Access, ...]] = {}

    def size(self, node: Node) -> int:
        """How many elements a vector has; a scalar has one."""
        return node.shape[0].evaluate(self.sizes) if node.shape else 1

    def part(self, node: Node) -> tuple[int, int]:
        """Where a `part` starts in what it is a part of, and its size."""
        index, lengths = node.attributes[0], self.pieces(node)
        assert isinstance(index, int)
        return sum(lengths[:index]), lengths[index]

    def pieces(self, node: Node) -> list[int]:
        """The sizes of all pieces of what a `part` is one of."""
        pieces = node.attributes[1]
        assert isinstance(pieces, tuple)
        return [d.evaluate(self.sizes) for d in pieces if isinstance(d, Dim)]

    def piece(self, node: Node, start: int) -> tuple[Node, int]:
        """The argument of a `concat` that holds an element, and which of its elements that is."""
        for argument in node.arguments:
            size = self.size(argument)
            if start < size:
                return argument, start
            start -= size
        raise IndexError(start)

    def accesses(self, value: Node, start: int, size: int) -> tuple[Access, ...]:
        """The reads and products that elements of an expression are computed from, each once."""
        key = (value, start, size)
        if key not in self._accesses:
            self._accesses[key] = tuple(self._found(value, start, size))
        return self._accesses[key]

    def _found(self, value: Node, start: int, size: int) -> Iterator[Access]:
        seen: set[tuple[Node, int, int]] = set()
        stack = [(value, start, size)]
        while stack:
            entry = stack.pop()
            node, start, size = entry
            if entry in seen or not node.varies:
                continue
            seen.add(entry)
            if node.operation in ("read", "matmul"):
                yield Access(node, start, size)
            else:
                stack.extend(self.arguments(node, start, size))

    def arguments(self, node: Node, start: int, size: int) -> list[tuple[Node, int, int]]:
        """The elements of its arguments that elements of a node are computed from."""
        if node.operation == "part":
            return [(node.arguments[0], start + self.part(node)[0], size)]
        if node.operation == "concat":
            inner, at = self.piece(node, start)
            return [(inner, at, size)]
        if node.operation in REDUCTIONS:
            return [(node.arguments[0], 0, self.size(node.arguments[0]))]
        if node.operation == "kron":
            return [(a, 0, self.size(a)) for a in node.arguments]
        if node.operation == "gathered":
            return [(a, start, size) if a.shape else (a, 0, 1) for a in own_arguments(node)]
        return [(a, start, size) if a.shape else (a, 0, 1) for a in reversed(node.arguments)]

    def boundaries(self, value: Node, start: int, size: int) -> set[int]:
        """Where a concatenation within an expression goes from one piece to the next."""
        found: set[int] = set()
        seen: set[tuple[Node, int]] = set()
        stack = [(value, 0)]
        while stack:
            node, shift = stack.pop()
            if (node, shift) in seen or not node.shape or node.operation in ("read", "matmul"):
                continue
            seen.add((node, shift))
            if node.operation == "part":
                stack.append((node.arguments[0], shift - self.part(node)[0]))
            elif node.operation == "concat":
                for argument in node.arguments:
                    stack.append((argument, shift))
                    shift += self.size(argument)
                    found.add(shift)
            elif node.operation not in (*REDUCTIONS, "kron"):
                stack.extend((a, shift) for a in node.arguments)
        return {at for at in found if start < at < start + size}


def stages(normal: Normal, sizes: Mapping[str, int], keep: Collection[str]) -> tuple[Stage, ...]:
    """The stages of all sections, in order; pieces that nothing reads are left out.

    Args:
        normal: the program.
        sizes: numbers for its dimensions.
        keep: signals that are wanted whatever reads them.
    """
    return _Stager(normal, sizes, keep).run()


class _Stager:
    """Sorts the pieces of a program's lines into stages."""

    def __init__(self, normal: Normal, sizes: Mapping[str, int], keep: Collection[str]):
        self.normal, self.elements = normal, Elements(sizes)
        self.values = {name: v for lines in normal.sections.values() for name, v in lines}
        self.wanted = {*keep, *normal.states, *normal.across, *normal.summed}
        self.pieces = self._pieces()

    def run(self) -> tuple[Stage, ...]:
        needed = self._needed()
        done: set[Piece] = set()
        found: list[Stage] = []
        for section in ("before", "loop", "after"):
            names = [name for name, _ in self.normal.sections[section]]
            remaining = [p for name in names for p in self.pieces[name] if p in needed]
            while remaining:
                chosen = self._next(remaining, done)
                done.update(chosen)
                remaining = [p for p in remaining if p not in chosen]
                found.append(self._stage(section, chosen))
        return tuple(found)

    def _pieces(self) -> dict[str, list[Piece]]:
        cuts: dict[str, set[int]] = defaultdict(set)
        for name, value in self.values.items():
            if value.operation not in REDUCTIONS:
                cuts[name] |= self.elements.boundaries(value, 0, self.elements.size(value))
        for name, value in self._parts_read():
            start, size = self.elements.part(value)
            cuts[name] |= {start, start + size}
        return {name: self._cut(name, value, cuts[name]) for name, value in self.values.items()}

    def _parts_read(self) -> Iterator[tuple[str, Node]]:
        for value in self.values.values():
            stack, seen = [value], set[Node]()
            while stack:
                node = stack.pop()
                if node in seen:
                    continue
                seen.add(node)
                stack.extend(node.arguments)
                inner = node.arguments[0] if node.operation == "part" else node
                if node.operation == "part" and inner.operation == "read":
                    yield str(inner.attributes[0]), node

    def _cut(self, name: str, value: Node, cuts: set[int]) -> list[Piece]:
        size = self.elements.size(value)
        edges = [0, *sorted(at for at in cuts if 0 < at < size), size]
        return [Piece(name, start, stop - start, value) for start, stop in pairwise(edges)]

    def _touched(self, access: Access) -> list[Piece]:
        """The pieces of this program that an access reads at the same step."""
        node, start, size = access.node, access.start, access.size
        if node.operation == "matmul":
            node, start, size = node.arguments[1], 0, self.elements.size(node.arguments[1])
        name, index = str(node.attributes[0]), node.attributes[1]
        if index != "t" or name not in self.pieces:
            return []
        return [p for p in self.pieces[name] if p.start < start + size and start < p.start + p.size]

    def _needed(self) -> set[Piece]:
        stack = [p for name in self.values if name in self.wanted for p in self.pieces[name]]
        needed: set[Piece] = set()
        while stack:
            piece = stack.pop()
            if piece not in needed:
                needed.add(piece)
                for access in self._accesses(piece):
                    stack.extend(self._touched(access))
        return needed

    def _accesses(self, piece: Piece) -> tuple[Access, ...]:
        return self.elements.accesses(piece.value, piece.start, piece.size)

    def _domain(self, piece: Piece) -> int:
        if piece.is_reduction:
            return self.elements.size(piece.value.arguments[0])
        return piece.size

    def _labels(self, piece: Piece) -> set[bool]:
        """Of the products that a piece reads, whether labels choose their matrices."""
        found = (a.node for a in self._accesses(piece) if a.node.operation == "matmul")
        return {is_labelled(node.arguments[0]) for node in found}

    def _has_products(self, piece: Piece) -> bool:
        return any(a.node.operation == "matmul" for a in self._accesses(piece))

    def _ready(self, piece: Piece, done: set[Piece], here: Collection[Piece]) -> bool:
        """Whether all that a piece reads is done, or at hand at the same element."""
        here = () if piece.is_apart else here
        for access in self._accesses(piece):
            for other in self._touched(access):
                same = (other.start, other.size) == (access.start, access.size)
                at_hand = other in here and same and access.node.operation == "read"
                if other not in done and not (at_hand and not other.is_reduction):
                    return False
                if other not in done and self._domain(other) != self._domain(piece):
                    return False
        return True

    def _next(self, remaining: list[Piece], done: set[Piece]) -> list[Piece]:
        ready = [p for p in remaining if self._ready(p, done, ())]
        if ready[0].is_apart:
            return ready[:1]
        domain = self._domain(ready[0])
        products = any(self._has_products(p) for p in ready if self._domain(p) == domain)
        labels: set[bool] = set()
        chosen: list[Piece] = []
        for piece in remaining:
            fits = self._domain(piece) == domain and not piece.is_apart
            fits = fits and not (products and piece.is_reduction)
            if fits and not products:
                fits = not self._has_products(piece)
            fits = fits and len(labels | self._labels(piece)) < 2
            if fits and self._ready(piece, done, chosen):
                chosen.append(piece)
                labels |= self._labels(piece)
        return chosen

    def _stage(self, section: Section, chosen: list[Piece]) -> Stage:
        slots: dict[Access, None] = {}
        for piece in chosen:
            for access in self._accesses(piece):
                if access.node.operation == "matmul":
                    slots[access] = None
        return Stage(section, self._domain(chosen[0]), tuple(chosen), tuple(slots))
