"""Memory that is lent and comes back, so that large arrays do not fault in their pages each call.

A signal that is kept for the backward takes megabytes, lives until the backward has read it, and is
wanted again in the next step. The C library hands such memory back to the system, which gives it
out anew page by page, filled with zeros: that took a seventh of a training step of an LSTM with
H = 256. Here it stays for the next call. Nothing of it goes to the user: a tensor of the user's is
torch's to allocate, resize and share.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cellwise.backends.cpu.target import LINE_BYTES
from cellwise.backends.cpu.work import address_of

Bytes = npt.NDArray[np.uint8]

LEAST_BYTES = 1 << 20
"""Smaller arrays stay in the C library's own lists."""

MOST_IDLE_BYTES = 256 << 20
"""What waits to be lent again may take so much in all; beyond, the longest unused goes."""

_TYPES = {torch.float32: "<f4", torch.float64: "<f8"}


class Store:
    """Pieces of memory that wait to be lent again.

    Pieces come back from whatever thread drops the last tensor in them, also amid another call of
    the store's: so nothing here waits for a lock, and every step is one operation of a deque.
    """

    def __init__(self, most_idle_bytes: int):
        self._most = most_idle_bytes
        self._idle: deque[Bytes] = deque()

    @property
    def idle_bytes(self) -> int:
        """How much waits to be lent."""
        return sum(len(piece) for piece in list(self._idle))

    def take(self, n_bytes: int) -> Bytes:
        """A piece of so many bytes or up to a quarter more, the one that came back last if any."""
        for _ in range(len(self._idle)):
            try:
                piece = self._idle.pop()
            except IndexError:
                break
            if n_bytes <= len(piece) <= n_bytes + n_bytes // 4:
                return piece
            self._idle.appendleft(piece)
        return np.empty(n_bytes, np.uint8)

    def give(self, piece: Bytes) -> None:
        """Take a piece back."""
        self._idle.append(piece)
        while self.idle_bytes > self._most:
            try:
                self._idle.popleft()
            except IndexError:
                break

    def clear(self) -> None:
        """Let go of all that waits."""
        self._idle.clear()


store = Store(MOST_IDLE_BYTES)


class Lent:
    """A piece of memory that goes back to the store with its last user.

    numpy and torch hold it as long as an array or a tensor needs the memory.

    Attributes:
        address: where it begins, on a cache line.
    """

    def __init__(self, n_bytes: int, kind: str = "|u1", count: int = 0):
        self._store = store
        self._piece = store.take(n_bytes + LINE_BYTES)
        self.address = -(-address_of(self._piece) // LINE_BYTES) * LINE_BYTES
        self.__array_interface__: dict[str, Any] = {
            "data": (self.address, False),
            "shape": (count or n_bytes,),
            "typestr": kind,
            "version": 3,
        }

    def __del__(self) -> None:
        piece = getattr(self, "_piece", None)
        if piece is not None:
            self._store.give(piece)


def new_rows(like: Tensor, shape: Sequence[int]) -> Tensor:
    """An array of no particular content, as `like.new_empty`, in lent memory if it is large."""
    count = prod(shape)
    n_bytes = count * like.itemsize
    if n_bytes < LEAST_BYTES:
        return like.new_empty(tuple(shape))
    array = np.asarray(Lent(n_bytes, _TYPES[like.dtype], count))
    return torch.from_numpy(array).view(tuple(shape))
