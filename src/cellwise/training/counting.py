"""Examples that show how far a pass over them is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

from cellwise.training.progress import Reporter

Item = TypeVar("Item")

STRIDE = 256
"""Examples between two words to the reporter."""


class Counted(Sequence[Item], Generic[Item]):
    """The same examples; whoever goes through them moves a reporter's bar.

    So tasks show how far the building of their vocabularies is without knowing of it. What else
    the sequence can do, this one can too.

    Args:
        items: the examples.
        reporter: told of each pass over all of them.
        name: what a pass is called, as in "vocabulary  12000/29000".
    """

    def __init__(self, items: Sequence[Item], reporter: Reporter, name: str):
        self._items, self._reporter, self._name = items, reporter, name

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Item]: ...
    def __getitem__(self, place: int | slice) -> Item | Sequence[Item]:
        return self._items[place]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._items, name)

    def __iter__(self) -> Iterator[Item]:
        return counted(self._items, self._name, self._reporter, total=len(self))


def counted(
    items: Iterable[Item], name: str, reporter: Reporter, *, total: int = 0
) -> Iterator[Item]:
    """The items; a reporter's bar moves along. Where `total` is 0 nobody knows how many come."""
    reporter.begin(name, total)
    try:
        for count, item in enumerate(items, start=1):
            yield item
            if count % STRIDE == 0:
                reporter.advance(STRIDE)
    finally:
        reporter.end()
