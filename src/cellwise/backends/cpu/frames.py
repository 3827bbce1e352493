"""Frames: the tables of addresses and counts that a kernel is called with, one a thread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from cellwise.backends.cpu.compiled import Compiled
from cellwise.backends.cpu.drafts import At, Draft
from cellwise.backends.cpu.layout import Key
from cellwise.backends.cpu.runtime import runtime
from cellwise.backends.cpu.target import LINE_BYTES
from cellwise.backends.cpu.work import Work


class Template:
    """The frame of one thread's share, but for what changes from call to call.

    Attributes:
        draft: of the frame.
        scratch_bytes: how much memory the thread needs to itself.
    """

    def __init__(self, compiled: Compiled, share: Work):
        self.compiled, self.share = compiled, share
        self.scratch_bytes = 0
        self.draft = Draft(map(self._number, compiled.keys))

    def _number(self, key: Key) -> int | At:
        """What stands in the slot of a key."""
        match key:
            case ("chunk_rows",):
                return self.compiled.chunk_rows
            case ("capacity",):
                return self._capacity
            case (str(kind), int(lanes), int(n_vectors), int(n_rows)):
                code = runtime(self.compiled.target, self.compiled.precision, lanes)
                name = "product" if kind == "block" else kind
                return code.address(f"{name}_{n_vectors}_{n_rows}")
        found, n_bytes = self._array(key), self._scratch(key)
        if found is not None:
            return found
        return (
            self.share.number(" ".join(map(str, key))) if n_bytes is None else self._room(n_bytes)
        )

    def _array(self, key: Key) -> At | None:
        """The array of a call that a slot points at, if it does."""
        compiled, share = self.compiled, self.share
        sizes, item = compiled.layout.sizes, compiled.item_bytes
        match key:
            case ("rows" | "edge" as kind, str(name)):
                return At(f"{kind} {name}")
            case ("first" | "last" as kind, str(name)):
                array = "edge" if kind == "first" else "last"
                return At(f"{array} {name}", share.first * sizes[name] * item)
            case ("fixed", int(number)):
                return At(compiled.need_of(compiled.layout.fixed[number]))
            case ("weights", int(stage), int(operand)):
                return At("weights", compiled.weight_offsets[stage, operand])
        return None

    @property
    def _capacity(self) -> int:
        """The most rows that are computed together."""
        return max(self.compiled.chunk_rows, self.share.most)

    def _scratch(self, key: Key) -> int | None:
        """How large the thread's own memory is that a slot points at, if it does."""
        compiled, item, sizes = self.compiled, self.compiled.item_bytes, self.compiled.layout.sizes
        match key:
            case ("state", str(name)):
                return 2 * sizes[name] * item * self.share.n_places
            case ("chunk" | "level", str(name)):
                return sizes[name] * item * self._capacity
            case ("tile",):
                return compiled.tile_items * item
            case ("addresses",):
                return compiled.n_columns * 8 * self._capacity
            case ("operand_rows",):
                return compiled.n_operands * 8 * self._capacity
        return None

    def _room(self, n_bytes: int) -> At:
        """The next bytes of the scratch memory, whole lines."""
        place = At("scratch", self.scratch_bytes)
        self.scratch_bytes += -(-n_bytes // LINE_BYTES) * LINE_BYTES
        return place


@lru_cache(maxsize=64)
def template(compiled: Compiled, share: Work) -> Template:
    """The template of a program and a share, kept while batches of the same shape come."""
    return Template(compiled, share)


def neighbours(compiled: Compiled) -> Iterator[str]:
    """The signals that a program reads beyond the ends of what there is."""
    return (str(key[1]) for key in compiled.keys if key[0] == "edge")
