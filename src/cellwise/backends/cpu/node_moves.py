"""Rows between the order of a forest and that of a fold over it, moved by compiled code."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

from cellwise.backends.cpu.calls import call
from cellwise.backends.cpu.drafts import At, Draft
from cellwise.backends.cpu.ready import Rounds
from cellwise.backends.cpu.registers import Form
from cellwise.backends.cpu.runtime import runtime
from cellwise.backends.cpu.target import BYTES
from cellwise.backends.cpu.work import Integers, address_of

LEAST_BYTES = 32 * 1024
"""Fewer are moved by one thread."""


class Moves:
    """Rows that are moved in one round: none of them waits for another's.

    What is behind a name of a call, such as `rows h`, begins at the address that is found for it.
    """

    def __init__(self, form: Form, n_threads: int):
        self._code, self._n_threads = runtime(*form), n_threads
        self._item_bytes = BYTES[form.precision]
        self._calls = Draft()
        self._indices: list[Integers] = []

    def __len__(self) -> int:
        return len(self._calls)

    def take(self, out: str, rows: str, index: Integers, width: int) -> None:
        """Row i of `out` is row index[i] of `rows`."""
        self._move("take_rows", (out, rows), index, width)

    def add(self, out: str, rows: str, index: Integers, width: int) -> None:
        """Row i of `rows` is added to row index[i] of `out`; no number comes twice."""
        self._move("add_rows", (out, rows), index, width)

    def clear(self, out: str, first: int, last: int, width: int) -> None:
        """Rows of zeros."""
        row_bytes, code = width * self._item_bytes, self._code.address("clear_rows")
        for start, stop in self._pieces(max(last - first, 0), row_bytes):
            place = At(out, (first + start) * row_bytes)
            self._calls.add(call(code, place, (stop - start) * width))

    def _move(
        self,
        name: Literal["take_rows", "add_rows"],
        arrays: tuple[str, str],
        index: Integers,
        width: int,
    ) -> None:
        self._indices.append(index)
        code, where = self._code.address(name), address_of(index)
        row_bytes, indexed = width * self._item_bytes, int(name == "take_rows")
        for start, stop in self._pieces(len(index), row_bytes):
            places = [At(array, start * row_bytes) for array in arrays]
            places[indexed] = At(arrays[indexed])
            self._calls.add(call(code, *places, where + start * 8, stop - start, width))

    def _pieces(self, n_rows: int, row_bytes: int) -> list[tuple[int, int]]:
        """A piece for each thread."""
        count = self._n_threads if n_rows * row_bytes >= LEAST_BYTES else 1
        cuts = [n_rows * piece // count for piece in range(count + 1)]
        return list(pairwise(cuts))

    def tasks(self, rounds: Rounds, known: Mapping[str, At | int]) -> list[At]:
        """The calls as tasks of rounds in the making."""
        return rounds.calls(self._calls, self._n_threads, known)
