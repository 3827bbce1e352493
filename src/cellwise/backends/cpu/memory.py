"""Memory that stays from call to call, so that arrays do not fault in their pages each time.

A signal that is kept for the backward takes megabytes, lives until the backward has read it, and is
wanted again in the next step. The C library hands such memory back to the system, which gives it
out anew page by page, filled with zeros: that took a seventh of a training step of an LSTM with
H = 256. That it keeps memory of up to 32 MiB instead it learns from `keep_freed_memory`; larger
arrays that only compiled code sees are lent here, and come back. What goes to the user, outputs and
gradients, is always torch's to allocate, resize and share.
"""

from __future__ import annotations

import os
from functools import cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cellwise.backends.cpu.target import LINE_BYTES
from cellwise.backends.cpu.work import address_of

Bytes = npt.NDArray[np.uint8]


def _is_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, OSError, ValueError):
        return False


LEAST_BYTES = (16 if _is_glibc() else 1) << 20
"""Smaller arrays stay in the C library's own lists, which are quicker."""

MOST_IDLE_BYTES = 256 << 20
"""What waits to be lent again may take so much in all; beyond, the longest unused goes."""


class Store:
    """Pieces of memory that wait to be lent again, the longest unused first.

    Pieces come back from whatever thread drops the last tensor in them, also amid another call of
    the store's: so nothing here waits for a lock, and who gets a piece is settled by one `pop`.
    """

    def __init__(self, most_idle_bytes: int):
        self._most = most_idle_bytes
        self._idle: dict[int, Bytes] = {}

    @property
    def idle_bytes(self) -> int:
        """How much waits to be lent."""
        return sum(map(len, self._waiting()))

    def take(self, n_bytes: int) -> Bytes:
        """A piece of so many bytes or up to a quarter more, the one that came back last if any."""
        for piece in reversed(self._waiting()):
            if n_bytes <= len(piece) <= n_bytes + n_bytes // 4 and self._remove(piece):
                return piece
        return np.empty(n_bytes, np.uint8)

    def give(self, piece: Bytes) -> None:
        """Take a piece back."""
        self._idle[id(piece)] = piece
        waiting = self._waiting()
        excess = sum(map(len, waiting)) - self._most
        for oldest in waiting:
            if excess <= 0:
                break
            excess -= len(oldest)
            self._remove(oldest)

    def clear(self) -> None:
        """Let go of all that waits."""
        self._idle.clear()

    def _waiting(self) -> list[Bytes]:
        return list(self._idle.values())

    def _remove(self, piece: Bytes) -> bool:
        """Whether it was still there."""
        return self._idle.pop(id(piece), None) is not None


store = Store(MOST_IDLE_BYTES)


@cache
def keep_freed_memory() -> None:
    """Let the C library keep what is freed for the next array, once a process.

    The GNU C library hands every large array back to the system, and asks for the next one anew,
    until it has seen an array of that size freed: from then on it keeps memory of such sizes, up to
    32 MiB an array. So one is allocated and freed here, never touched. Other libraries do not mind.
    An LSTM's outputs and gradients faulted in 400 to 1,000 pages a training step before, as much as
    a tenth of its time.
    """
    np.empty(_LARGEST_BYTES, np.uint8)


_LARGEST_BYTES = (32 << 20) - 8192
"""The largest that the GNU C library learns from, less what it adds itself."""


class Lent:
    """A piece of memory that goes back to the store with its last user.

    numpy and torch hold it as long as an array or a tensor needs the memory.

    Attributes:
        address: where it begins, on a cache line.
    """

    def __init__(self, n_bytes: int):
        self._store, self._n_bytes = store, n_bytes
        self._piece = store.take(n_bytes + LINE_BYTES)
        self.address = _on_a_line(self._piece)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """The bytes as numpy takes them."""
        place = (self.address, False)
        return {"data": place, "shape": (self._n_bytes,), "typestr": "|u1", "version": 3}

    def __del__(self) -> None:
        piece = getattr(self, "_piece", None)
        if piece is not None:
            self._store.give(piece)


def new_rows(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An array of no particular content, as `like.new_empty`, in lent memory if it is large."""
    keep_freed_memory()
    n_bytes = prod(shape) * like.itemsize
    if n_bytes < LEAST_BYTES:
        return like.new_empty(shape)
    return torch.from_numpy(np.asarray(Lent(n_bytes))).view(like.dtype).view(shape)


def new_scratch(n_bytes: int) -> tuple[object, int]:
    """What holds memory of no particular content, and where it begins, on a cache line."""
    keep_freed_memory()
    if n_bytes >= LEAST_BYTES:
        lent = Lent(n_bytes)
        return lent, lent.address
    memory = np.empty(n_bytes + LINE_BYTES, np.uint8)  # sooner there than a tensor
    return memory, _on_a_line(memory)


class Scratch(NamedTuple):
    """Memory of no particular content for one call at a time.

    Attributes:
        address: where it begins, on a cache line.
    """

    held: object
    n_bytes: int
    address: int


_spare: list[Scratch] = []
"""What the last calls have worked in, so that the next one need not ask for any."""

MOST_SPARE = 4
"""As many threads at most find such memory again."""


def take_scratch(n_bytes: int) -> Scratch:
    """Memory of at least so many bytes, which `give_scratch` takes back."""
    try:
        found = _spare.pop()
    except IndexError:
        return _scratch(n_bytes)
    return found if found.n_bytes >= n_bytes else _scratch(n_bytes)


def _scratch(n_bytes: int) -> Scratch:
    held, address = new_scratch(n_bytes)
    return Scratch(held, n_bytes, address)


def give_scratch(scratch: Scratch) -> None:
    """Keep it for the next call, unless it is large or others have given enough."""
    if scratch.n_bytes < LEAST_BYTES and len(_spare) < MOST_SPARE:
        _spare.append(scratch)


def _on_a_line(memory: Bytes) -> int:
    return -(-address_of(memory) // LINE_BYTES) * LINE_BYTES
