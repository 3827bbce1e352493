"""Frames: the tables of addresses and counts that a kernel is called with, one a thread."""

from __future__ import annotations

from functools import lru_cache

from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.layout import Key
from cellwise.backends.cpu.runtime import runtime
from cellwise.backends.cpu.target import LINE_BYTES
from cellwise.backends.cpu.work import Work

Named = list[tuple[int, str]]


class Slots:
    """Where in the frames of a program what has its place, whoever computes how many rows.

    Attributes:
        numbers: a frame with what is always the same.
        rows, edges, firsts, lasts: slots and signals of the arrays of a call.
        fixed: slots and numbers of fixed values.
        weights: slots, and which weights.
        of_share: slots, and what of the share.
        scratch: slots of the thread's own memory, and how many bytes it takes: for each of its
            places, for each row of its capacity, and in all.
    """

    def __init__(self, compiled: Compiled):
        self.compiled = compiled
        self.numbers = [0] * len(compiled.keys)
        self.rows: Named = []
        self.edges: Named = []
        self.firsts: Named = []
        self.lasts: Named = []
        self.fixed: list[tuple[int, int]] = []
        self.weights: list[tuple[int, tuple[int, int]]] = []
        self.of_share: Named = []
        self.scratch: list[tuple[int, tuple[int, int, int]]] = []
        for slot, key in enumerate(compiled.keys):
            found = self._scratch(key)
            if found is None:
                self._enter(slot, key)
            else:
                self.scratch.append((slot, found))

    def _scratch(self, key: Key) -> tuple[int, int, int] | None:
        """The bytes a place, a row and in all of a slot that points at the thread's memory."""
        compiled, item = self.compiled, self.compiled.item_bytes
        match key:
            case ("state", str(name)):
                return 2 * compiled.layout.sizes[name] * item, 0, 0
            case ("chunk" | "level", str(name)):
                return 0, compiled.layout.sizes[name] * item, 0
            case ("tile",):
                return 0, 0, compiled.tile_items * item
            case ("addresses",):
                return 0, compiled.n_columns * 8, 0
            case ("operand_rows",):
                return 0, compiled.n_operands * 8, 0
        return None

    def _enter(self, slot: int, key: Key) -> None:
        match key:
            case ("rows", str(name)):
                self.rows.append((slot, name))
            case ("edge", str(name)):
                self.edges.append((slot, name))
            case ("first", str(name)):
                self.firsts.append((slot, name))
            case ("last", str(name)):
                self.lasts.append((slot, name))
            case ("fixed", int(index)):
                self.fixed.append((slot, index))
            case ("weights", int(stage), int(operand)):
                self.weights.append((slot, (stage, operand)))
            case (str(kind), int(lanes), int(n_vectors), int(n_rows)):
                code = runtime(self.compiled.target, self.compiled.precision, lanes)
                name = "product" if kind == "block" else kind
                self.numbers[slot] = code.address(f"{name}_{n_vectors}_{n_rows}")
            case ("chunk_rows",):
                self.numbers[slot] = self.compiled.chunk_rows
            case ("table" | "list" | "list_first", str(_)) | (str(_),):
                self.of_share.append((slot, " ".join(map(str, key))))


@lru_cache(maxsize=512)
def slots(compiled: Compiled) -> Slots:
    """Where in a program's frames what has its place."""
    return Slots(compiled)


class Template:
    """The frame of one thread's share, but for the addresses that change from call to call.

    Attributes:
        slots: those of the program.
        scratch_bytes: how much memory the thread needs to itself.
    """

    def __init__(self, compiled: Compiled, share: Work):
        self.share, self.slots = share, slots(compiled)
        self._numbers = self.slots.numbers.copy()
        capacity = max(compiled.chunk_rows, share.most)
        for slot, what in self.slots.of_share:
            self._numbers[slot] = capacity if what == "capacity" else share.number(what)
        self._scratch: list[tuple[int, int]] = []
        self.scratch_bytes = 0
        for slot, (a_place, a_row, in_all) in self.slots.scratch:
            self._scratch.append((slot, self.scratch_bytes))
            n_bytes = a_place * share.n_places + a_row * capacity + in_all
            self.scratch_bytes += -(-n_bytes // LINE_BYTES) * LINE_BYTES

    def fill(self, base: int) -> list[int]:
        """A frame whose scratch memory begins at an address."""
        frame = self._numbers.copy()
        for slot, offset in self._scratch:
            frame[slot] = base + offset
        return frame


@lru_cache(maxsize=64)
def template(compiled: Compiled, share: Work) -> Template:
    """The template of a program and a share, kept while batches of the same shape come."""
    return Template(compiled, share)
