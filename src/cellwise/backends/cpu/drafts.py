"""Tables of numbers that compiled code reads, made once, but for what is known only in a call."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class At(NamedTuple):
    """A number that is known only in a call, such as an address, and how many bytes behind it.

    Attributes:
        need: what has to be known. In a sweep: `rows h` (an array over all rows), `own h` (its
            first row that is summed), `edge h`, `last h` (the state that comes out), `parameter W`,
            `fixed 0` (what is computed of parameters), `index t-1`, `moved 0` (a first factor in
            its place), `out 0` (a total), `table` (what describes sums), `scratch` (a thread's
            own memory), `shared` (that of threads with the same rows), `weights` (packed), `count`
            (the number of rows).
    """

    need: str
    offset: int = 0


class Draft:
    """Numbers in the making, and where among them stands what is known only in a call.

    Attributes:
        held: what addresses among the numbers point at.
    """

    def __init__(self, numbers: Iterable[int | At] = ()) -> None:
        self.held: object = None
        self._numbers = array("q")
        self._holes: list[tuple[int, str, int]] = []
        self.add(numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, numbers: Iterable[int | At]) -> None:
        """More numbers."""
        for number in numbers:
            if isinstance(number, At):
                self._holes.append((len(self._numbers), *number))
                number = 0
            self._numbers.append(number)

    def include(self, other: Draft, known: Mapping[str, At | int]) -> None:
        """The numbers of another draft, with what is known now in the place of needs."""
        start = len(self._numbers)
        self._numbers.extend(other._numbers)
        for slot, need, offset in other._holes:
            found = known.get(need)
            if found is None:
                self._holes.append((start + slot, need, offset))
            elif isinstance(found, At):
                self._holes.append((start + slot, found.need, found.offset + offset))
            else:
                self._numbers[start + slot] = found + offset

    def numbered(self, needs: Mapping[str, tuple[int, int]], first: int) -> list[int]:
        """Of each number that is known in a call three: its slot, which need it is, and the offset.

        Args:
            needs: the number of each need, and how many bytes are added to its offsets.
            first: the slot of the first number.

        Raises:
            KeyError: something has to be known that is not among the needs.
        """
        holes: list[int] = []
        for slot, need, offset in self._holes:
            number, more = needs[need]
            holes += first + slot, number, offset + more
        return holes

    @property
    def numbers(self) -> array[int]:
        """All numbers; 0 where one is known only in a call."""
        return self._numbers

    def copy(self) -> Draft:
        """Another draft of the same numbers."""
        other = Draft()
        other._numbers, other._holes, other.held = self._numbers[:], self._holes[:], self.held
        return other

    def put(self, slot: int, number: int | At) -> None:
        """Another number in the place of one that was known; not of one that is not."""
        if isinstance(number, At):
            self._holes.append((slot, *number))
        else:
            self._numbers[slot] = number

    @property
    def needs(self) -> list[str]:
        """What has to be known, once each."""
        return list(dict.fromkeys(need for _, need, _ in self._holes))

    def filled(self, found: Mapping[str, int]) -> array[int]:
        """The numbers of a call, in memory of their own."""
        numbers = self._numbers[:]
        for slot, need, offset in self._holes:
            numbers[slot] = found[need] + offset
        return numbers
