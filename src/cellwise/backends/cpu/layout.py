"""Where a kernel keeps its signals, and the frame: the table of addresses that it is given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from cellwise.graph.node import Node
from cellwise.passes.normal import Normal
from cellwise.passes.stages import Access, Elements, Piece, Stage

Key = tuple[str | int, ...]


class Frame:
    """The slots of the table of addresses and counts that a kernel reads, in order of first use."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self._slots: dict[Key, int] = {}

    def slot(self, *key: str | int) -> int:
        """The place of an address or count in the table."""
        if key not in self._slots:
            self._slots[key] = len(self.keys)
            self.keys.append(key)
        return self._slots[key]


@dataclass(frozen=True)
class Place:
    """Where the elements of a signal lie, seen from one row.

    Attributes:
        kind: `rows` (an array over all rows), `shifted` (such an array at another row), `chunk`
            (a buffer of the rows at work), `level` (one of the level at work), `now` and `past`
            (a state at this step and the one before), `begin` and `end` (where the list of the rows
            that a row gathers begins and ends).
        name: the signal, or what is gathered.
        size: how many numbers a row has.
        index: of `shifted`, which other row.
    """

    kind: str
    name: str
    size: int
    index: str = ""


@dataclass
class Layout:
    """Where each signal of a program is kept.

    Attributes:
        stages: of the program.
        elements: its sizes.
        kept: signals whose arrays over all rows outlive the kernel: asked for, or summed.
        chunk: signals in buffers of the rows at work; `level`: of the level at work.
        states: the signals that carry over.
        fixed: what is the same in all rows and not a literal, in the order of the frame.
    """

    stages: tuple[Stage, ...]
    elements: Elements
    kept: tuple[str, ...]
    chunk: tuple[str, ...]
    level: tuple[str, ...]
    states: tuple[str, ...]
    sizes: Mapping[str, int]
    fixed: list[Node] = field(default_factory=list)

    def fixed_index(self, node: Node) -> int:
        """The number of something fixed among all that are."""
        if node not in self.fixed:
            self.fixed.append(node)
        return self.fixed.index(node)

    def read(self, node: Node, section: str) -> Place:
        """Where a read finds its signal."""
        name, index = str(node.attributes[0]), str(node.attributes[1])
        size = self.elements.size(node)
        if index != "t":
            past = name in self.states
            return Place("past", name, size) if past else Place("shifted", name, size, index)
        if name not in self.sizes or name in self.kept:
            return Place("rows", name, size)
        if name in self.states and section == "loop":
            return Place("now", name, size)
        return Place("chunk" if name in self.chunk else "level", name, size)

    def stores(self, piece: Piece) -> list[Place]:
        """Everywhere that a piece is written."""
        name, size = piece.name, self.sizes[piece.name]
        where = (("rows", self.kept), ("now", self.states), ("chunk", self.chunk))
        found = [Place(kind, name, size) for kind, names in where if name in names]
        return found + ([Place("level", name, size)] if name in self.level else [])


def lay_out(
    normal: Normal, stages: tuple[Stage, ...], elements: Elements, keep: Collection[str]
) -> Layout:
    """Decide where each signal is kept; `keep` are those that the caller asks for."""
    defined = {name: value for lines in normal.sections.values() for name, value in lines}
    sizes = {
        name: 1 if value.operation in ("sum", "largest") and value.varies else elements.size(value)
        for name, value in defined.items()
    }
    lasting = {*keep, *normal.summed, *normal.across}
    kept = tuple(name for name in defined if name in lasting)
    states = tuple(name for name in normal.states if name in defined)
    used = _sections_of_readers(stages, elements)
    home = {p.name: stage.section for stage in stages for p in stage.pieces}
    by_rows = any(stage.is_labelled for stage in stages)  # a level's rows are not called together
    chunk, level = [], []
    for name, section in home.items():
        readers = used[name]
        if not readers or name in kept:
            continue
        if section != "loop" or readers != {"loop"} or (by_rows and name not in states):
            chunk.append(name)
        elif name not in states:
            level.append(name)
    return Layout(stages, elements, kept, tuple(chunk), tuple(level), states, sizes)


def _sections_of_readers(stages: tuple[Stage, ...], elements: Elements) -> Mapping[str, set[str]]:
    """For each signal, in which sections it is read from memory at the same step."""
    found: dict[str, set[str]] = defaultdict(set)
    for stage in stages:
        for piece in stage.pieces:
            for access in elements.accesses(piece.value, piece.start, piece.size):
                if not is_at_hand(access, stage):
                    node = access.node
                    node = node.arguments[1] if node.operation == "matmul" else node
                    if node.attributes[1] == "t":
                        found[str(node.attributes[0])].add(stage.section)
    return found


def is_at_hand(access: Access, stage: Stage) -> bool:
    """Whether a stage computes what is read, at the same element."""
    node = access.node
    if node.operation != "read" or node.attributes[1] != "t":
        return False
    return (str(node.attributes[0]), access.start, access.size) in stage.own
