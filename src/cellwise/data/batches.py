"""Batches of examples of like length, in an order that a seed and an epoch fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from cellwise.errors import DataError

Item = TypeVar("Item")
Made = TypeVar("Made")

POOL_BATCHES = 64
"""Examples are sorted by length within pools of so many batches: enough for little padding, and
still random.
"""


@runtime_checkable
class Measured(Protocol):
    """A sequence that knows the size of each item without making it: what batches go by."""

    @property
    def sizes(self) -> Sequence[int]:
        """A number an item: its length, in whatever unit."""


def sizes_of(items: Sequence[Item], size: Callable[[Item], int]) -> Sequence[int]:
    """The size of each item: as the sequence itself knows it, else as `size` tells it."""
    return items.sizes if isinstance(items, Measured) else [size(item) for item in items]


def plan_batches(
    sizes: Sequence[int], batch_size: int, *, seed: int, epoch: int
) -> list[list[int]]:
    """The batches of one epoch: positions of examples, those of like length together.

    The examples are shuffled, sorted by length within pools of 64 batches, cut into batches, and
    the batches shuffled. Every example is in exactly one batch. The plan depends on the arguments
    alone, so an interrupted epoch can be replayed.

    Args:
        sizes: the length of each example.
        batch_size: examples in a batch; the last batch of a pool may hold fewer.
        seed: the seed of the run.
        epoch: the number of the epoch; each has its own order.
    """
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    order = torch.randperm(len(sizes), generator=generator).tolist()
    pools = _cut(order, batch_size * POOL_BATCHES)
    batches = [
        batch for pool in pools for batch in _cut(sorted(pool, key=sizes.__getitem__), batch_size)
    ]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def plan_in_order(sizes: Sequence[int], batch_size: int) -> list[list[int]]:
    """Batches for evaluation: positions of all examples, the shortest first."""
    return _cut(sorted(range(len(sizes)), key=sizes.__getitem__), batch_size)


def pad(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    """Rows of numbers as one tensor, time first.

    Returns:
        int64 `[T, B]`, where T is the length of the longest row; shorter rows end in `filler`.
    """
    steps = list(zip_longest(*rows, fillvalue=filler))
    numbers = np.fromiter(chain.from_iterable(steps), np.int64, len(steps) * len(rows))
    return torch.from_numpy(numbers.reshape(len(steps), len(rows)))


def lengths_of(rows: Sequence[Sequence[int]]) -> Tensor:
    """The lengths of rows, int64 `[B]`."""
    return torch.tensor([len(row) for row in rows], dtype=torch.int64)


def until_trouble(
    items: Iterable[Item], make: Callable[[Item], Made]
) -> tuple[list[Made], DataError | None]:
    """What is made of items, up to the first that cannot be; and why it cannot.

    So the answers to what stands before a bad line of input are not lost with it.

    Example:
        >>> until_trouble(["1", "2"], int)
        ([1, 2], None)
    """
    found: list[Made] = []
    for item in items:
        try:
            found.append(make(item))
        except DataError as error:
            return found, error
    return found, None


def in_chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items in their order, each as soon as it is full; the last may hold fewer."""
    chunk: list[Item] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _cut(items: list[int], size: int) -> list[list[int]]:
    return [items[i : i + size] for i in range(0, len(items), size)]
