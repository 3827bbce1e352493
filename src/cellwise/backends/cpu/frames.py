"""Frames: the tables of addresses and counts that a kernel is called with, one a thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from cellwise.backends.cpu.compiled import ALIGNMENT, Compiled
from cellwise.backends.cpu.layout import Key
from cellwise.backends.cpu.runtime import runtime
from cellwise.backends.cpu.work import Integers, Share

Slots = list[tuple[int, str]]


class Template:
    """The frame of one thread's share, but for the addresses that change from call to call.

    Attributes:
        numbers: what stays.
        scratch_bytes: how much memory the thread needs to itself.
        rows, edges, last: slots and signals of the arrays of a call.
        fixed: slots and numbers of fixed values.
        weights: slots, and which weights.
    """

    def __init__(self, compiled: Compiled, share: Share):
        self.compiled, self.share = compiled, share
        self.capacity = max(compiled.chunk_rows, share.most)
        self.numbers: Integers = np.zeros(len(compiled.keys), dtype=np.int64)
        self.rows: Slots = []
        self.edges: Slots = []
        self.firsts: Slots = []
        self.lasts: Slots = []
        self.fixed: list[tuple[int, int]] = []
        self.weights: list[tuple[int, tuple[int, int]]] = []
        self.scratch_bytes = 0
        scratch: list[tuple[int, int]] = []
        for slot, key in enumerate(compiled.keys):
            n_bytes = self._scratch(key)
            if n_bytes:
                scratch.append((slot, self.scratch_bytes))
                self.scratch_bytes += -(-n_bytes // ALIGNMENT) * ALIGNMENT
            else:
                self._enter(slot, key)
        self._slots = np.array([slot for slot, _ in scratch], dtype=np.int64)
        self._offsets = np.array([at for _, at in scratch], dtype=np.int64)

    def fill(self, base: int) -> Integers:
        """A frame whose scratch memory begins at an address."""
        frame = self.numbers.copy()
        frame[self._slots] = self._offsets + base
        return frame

    def _scratch(self, key: Key) -> int:
        """How many bytes of the thread's own memory a slot points at; none if it does not."""
        compiled, item = self.compiled, self.compiled.item_bytes
        match key:
            case ("state", str(name)):
                return max(2 * self.share.n_places * compiled.layout.sizes[name] * item, 1)
            case ("chunk" | "level", str(name)):
                return self.capacity * compiled.layout.sizes[name] * item
            case ("tile",):
                return compiled.tile_items * item
            case ("addresses",):
                return self.capacity * compiled.n_columns * 8
            case ("operand_rows",):
                return self.capacity * compiled.n_operands * 8
        return 0

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
            case _:
                self.numbers[slot] = self._number(key)

    def _number(self, key: Key) -> int:
        share, compiled = self.share, self.compiled
        match key:
            case ("product" | "stream" | "block" as kind, int(lanes), int(n_vectors), int(n_rows)):
                code = runtime(compiled.target, compiled.precision, lanes)
                name = "stream" if kind == "stream" else "product"
                return code.address(f"{name}_{n_vectors}_{n_rows}")
        numbers: dict[Key, Callable[[], int]] = {
            ("capacity",): lambda: self.capacity,
            ("chunk_rows",): lambda: compiled.chunk_rows,
            ("n_places",): lambda: share.n_places,
            ("n_levels",): lambda: len(share.starts) - 1,
            ("starts",): lambda: share.starts.ctypes.data,
            ("rows",): lambda: share.rows.ctypes.data,
            ("befores",): lambda: share.befores.ctypes.data,
            ("parities",): lambda: share.parities.ctypes.data,
        }
        return numbers[key]()


@lru_cache(maxsize=512)
def template(compiled: Compiled, share: Share) -> Template:
    """The template of a program and a share, kept while batches of the same shape come."""
    return Template(compiled, share)
