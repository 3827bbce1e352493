"""Examples larger than memory: in a temporary file, and made anew wherever they are asked for."""

from __future__ import annotations

import hashlib
import json
import mmap
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from cellwise.errors import DataError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Form(Generic[Item]):
    """How an item becomes JSON values, and how it is made of them again.

    Attributes:
        write: the values of an item.
        read: an equal item from what `write` gave, with lists in the place of tuples.
    """

    write: Callable[[Item], Any]
    read: Callable[[Any], Item]


class Spooled(Sequence[Item], Generic[Item]):
    """Examples in a temporary file, of which memory holds where they start: 8 bytes each.

    The file goes when nobody maps it any more.

    Example:
        >>> numbers = Spooled((range(n) for n in range(3)), Form(list, lambda found: range(*found)))
        >>> len(numbers)
        3

    Args:
        items: the examples; they are gone through once.
        form: how one is written and read.

    Raises:
        DataError: the folder for temporary files has no room.
    """

    def __init__(self, items: Iterable[Item], form: Form[Item]):
        self._form = form
        self._ends = array("q", [0])
        self._hash = hashlib.sha256()
        self._bytes = mapped_file(map(self._written, items))

    def _written(self, item: Item) -> bytes:
        """The bytes of the next item, which are counted."""
        text = json.dumps(self._form.write(item), ensure_ascii=False, separators=(",", ":"))
        raw = f"{text}\n".encode("utf-8", "surrogatepass")
        self._ends.append(self._ends[-1] + len(raw))
        self._hash.update(raw)
        return raw

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> list[Item]: ...
    def __getitem__(self, place: int | slice) -> Item | list[Item]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        i = range(len(self))[place]
        raw = self._bytes[self._ends[i] : self._ends[i + 1]]
        return self._form.read(json.loads(raw.decode("utf-8", "surrogatepass")))

    def __iter__(self) -> Iterator[Item]:
        return (self[i] for i in range(len(self)))

    def fingerprint(self) -> str:
        """A hash of the examples."""
        return self._hash.hexdigest()


def held(items: Iterable[Item], form: Form[Item], *, in_memory: bool) -> Sequence[Item]:
    """The items in memory, or in a temporary file, written in a form."""
    return list(items) if in_memory else Spooled(items, form)


def mapped_file(pieces: Iterable[bytes]) -> mmap.mmap | bytes:
    """Bytes in a temporary file that is mapped into memory, and goes when nobody maps it any more.

    Raises:
        DataError: the folder for temporary files has no room.
    """
    with tempfile.TemporaryFile(prefix="cellwise-") as file:
        for piece in pieces:
            _put(file.write, piece)
        _put(file.flush)
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if file.tell() else b""


def _put(write: Callable[..., Any], *pieces: bytes) -> None:
    try:
        write(*pieces)
    except OSError as error:
        raise DataError(
            f"{tempfile.gettempdir()}: training data cannot be put there: {error.strerror}; name "
            "a folder with more room in the variable TMPDIR"
        ) from error
