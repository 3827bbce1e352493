"""Frames: the tables of addresses and counts that a kernel is called with, one a thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.drafts import At, Draft
from cellwise.backends.cpu.layout import Key
from cellwise.backends.cpu.parallel import openmp_function
from cellwise.backends.cpu.runtime import runtime
from cellwise.backends.cpu.target import LINE_BYTES
from cellwise.backends.cpu.work import Work


class _Slots:
    """What stands in the slots of a program's frames, whoever computes how many rows.

    Attributes:
        draft: of a frame; what depends on the share is 0.
        of_share: slots, and what of the share.
        states: slots, the array that a thread's states begin in, and how many bytes a place takes.
        scratch: slots of the thread's own memory, and how many bytes it takes: for each of its
            places, for each row of its capacity, and in all.
        buffers: the same of signals: of threads that share their rows, only the first has them.
    """

    def __init__(self, compiled: Compiled):
        self.compiled = compiled
        self.of_share: list[tuple[int, str]] = []
        self.states: list[tuple[int, str, int]] = []
        self.scratch: list[tuple[int, tuple[int, int, int]]] = []
        self.buffers: list[tuple[int, tuple[int, int, int]]] = []
        self.draft = Draft(self._number(slot, key) for slot, key in enumerate(compiled.keys))

    def _number(self, slot: int, key: Key) -> int | At:
        """What always stands in a slot; else it is entered in a list of those that change."""
        compiled, sizes = self.compiled, self.compiled.layout.sizes
        found = self._array(key)
        if found is not None:
            return found
        match key:
            case ("chunk_rows",):
                return compiled.chunk_rows
            case ("barrier" | "n_threads" as name,):
                return openmp_function(name)
            case (str(kind), int(lanes), int(n_vectors), int(n_rows)):
                code = runtime(compiled.target, compiled.precision, lanes)
                name = "product" if kind == "block" else kind
                return code.address(f"{name}_{n_vectors}_{n_rows}")
            case ("first" | "last" as kind, str(name)):
                array = "edge" if kind == "first" else "last"
                self.states.append((slot, f"{array} {name}", sizes[name] * compiled.item_bytes))
                return 0
        n_bytes = self._scratch(key)
        if n_bytes is None:
            self.of_share.append((slot, " ".join(map(str, key))))
        elif key[0] in ("state", "chunk", "level"):
            self.buffers.append((slot, n_bytes))
        else:
            self.scratch.append((slot, n_bytes))
        return 0

    def _array(self, key: Key) -> At | None:
        """The array of a call that a slot points at, if it does."""
        compiled = self.compiled
        match key:
            case ("rows" | "edge" as kind, str(name)):
                return At(f"{kind} {name}")
            case ("fixed", int(number)):
                return At(compiled.need_of(compiled.layout.fixed[number]))
            case ("weights", int(stage), int(operand)):
                return At("weights", compiled.weight_offsets[stage, operand])
        return None

    def _scratch(self, key: Key) -> tuple[int, int, int] | None:
        """The bytes a place, a row and in all of a slot that points at the thread's memory."""
        compiled, item, sizes = self.compiled, self.compiled.item_bytes, self.compiled.layout.sizes
        match key:
            case ("state", str(name)):
                return 2 * sizes[name] * item, 0, 0
            case ("chunk" | "level", str(name)):
                return 0, sizes[name] * item, 0
            case ("tile",):
                return 0, 0, compiled.tile_items * item
            case ("addresses",):
                return 0, compiled.n_columns * 8, 0
            case ("operand_rows",):
                return 0, compiled.n_operands * 8, 0
        return None


@lru_cache(maxsize=512)
def _slots(compiled: Compiled) -> _Slots:
    return _Slots(compiled)


class Template:
    """The frame of one thread's share, but for what changes from call to call.

    Attributes:
        draft: of the frame.
        scratch_bytes: how much memory the thread needs to itself.
        shared_bytes: how much it has with those that share its rows.
    """

    def __init__(self, compiled: Compiled, share: Work):
        self.share, slots = share, _slots(compiled)
        self.draft = slots.draft.copy()
        capacity = max(compiled.chunk_rows, share.most)
        for slot, what in slots.of_share:
            self.draft.put(slot, capacity if what == "capacity" else share.number(what))
        for slot, array, a_place in slots.states:
            self.draft.put(slot, At(array, share.first * a_place))
        self.shared_bytes = self._place("shared", slots.buffers, capacity)
        self.scratch_bytes = self._place("scratch", slots.scratch, capacity)

    def _place(
        self, need: str, found: Sequence[tuple[int, tuple[int, int, int]]], capacity: int
    ) -> int:
        """Lay slots of memory out one after another; how many bytes they take."""
        at = 0
        for slot, (a_place, a_row, in_all) in found:
            self.draft.put(slot, At(need, at))
            n_bytes = a_place * self.share.n_places + a_row * capacity + in_all
            at += -(-n_bytes // LINE_BYTES) * LINE_BYTES
        return at


@lru_cache(maxsize=64)
def template(compiled: Compiled, share: Work) -> Template:
    """The template of a program and a share, kept while batches of the same shape come."""
    return Template(compiled, share)


def neighbours(compiled: Compiled) -> Iterator[str]:
    """The signals that a program reads beyond the ends of what there is."""
    return (str(key[1]) for key in compiled.keys if key[0] == "edge")
