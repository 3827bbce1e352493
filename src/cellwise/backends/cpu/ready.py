"""The rounds of a call in one table of numbers, ready but for addresses.

`parallel.run` is told its rounds in lists. Where a fold is called again and again with other arrays
the lists are made once, and all that they point at: tasks, frames, calls. A call copies the table
into memory of its own and enters addresses there, both in compiled code: Python's part of a call
is short, since after a kernel nothing of Python's is in the caches.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from cellwise.backends.cpu import calls
from cellwise.backends.cpu.drafts import At, Draft
from cellwise.backends.cpu.parallel import N_FIRST, enter, first_numbers, run_table

MEMORY = "memory"
"""What a call's own memory is called: it holds the table, and all that the rounds work in."""


class Rounds:
    """Rounds in the making."""

    def __init__(self) -> None:
        self._rounds: list[tuple[int, Sequence[At]]] = []
        self._data = Draft()

    def put(self, numbers: Draft, known: Mapping[str, At | int]) -> At:
        """Numbers that tasks point at; where they will lie.

        `known` tells what stands for what they need, if that is not a need of the call's.
        """
        place = At("data", len(self._data) * 8)
        self._data.include(numbers, known)
        return place

    def calls(self, entries: Draft, n_threads: int, known: Mapping[str, At | int]) -> list[At]:
        """A list of calls as tasks of `calls.function()`; the threads take them in turns."""
        first = self.put(entries, known)
        tasks = []
        for start, step, count in calls.turns(len(entries) // calls.ENTRY, n_threads):
            place = At(first.need, first.offset + start)
            tasks.append(self.put(Draft([place, step, count]), {}))
        return tasks

    def add(self, function: int, tasks: Sequence[At]) -> None:
        """A round: tasks that do not wait for one another."""
        if tasks:
            self._rounds.append((function, tasks))

    def ready(self, needs: Sequence[str], offset: int, n_threads: int) -> Ready:
        """The table.

        Args:
            needs: what a call knows, in the order in which it tells it; MEMORY first.
            offset: where in the call's memory the table will lie.
            n_threads: how many threads to use at most.
        """
        first = first_numbers()
        whole = Draft([*first, len(self._rounds)])
        starts = []
        for function, tasks in self._rounds:
            starts.append(len(whole))
            whole.add([function, len(tasks), *tasks])
        numbered = {need: (number, 0) for number, need in enumerate(needs)}
        numbered["data"] = numbered[MEMORY][0], offset + len(whole) * 8
        holes = whole.numbered(numbered, 0) + self._data.numbered(numbered, len(whole))
        table = whole.numbers + self._data.numbers, array("q", holes)
        most = max((len(tasks) for _, tasks in self._rounds), default=0)
        return Ready(*table, (offset, starts), (n_threads, most, any(first)))


class Ready:
    """Rounds that can be done.

    Args:
        numbers: the table.
        holes: what is entered, three numbers each: a slot, which need, how many bytes behind it.
        where: in the call's memory the table lies, and in the table each round.
        threads: how many at most, how many tasks a round has at most, whether OpenMP is there.

    Attributes:
        n_bytes: what the table takes of a call's memory.
    """

    def __init__(
        self,
        numbers: array[int],
        holes: array[int],
        where: tuple[int, Sequence[int]],
        threads: tuple[int, int, bool],
    ):
        self._numbers, self._holes = numbers, holes
        self._offset, starts = where
        self._starts = [(start - N_FIRST) * 8 for start in starts]
        self._n_threads, self._most, self._meets = threads
        self._made = (
            self._numbers.buffer_info()[0],
            len(self._numbers),
            self._holes.buffer_info()[0],
            len(self._holes) // 3,
        )
        self.n_bytes = len(self._numbers) * 8

    def run(self, addresses: array[int]) -> None:
        """Do the rounds, where what is needed lies at these addresses."""
        place = addresses[0] + self._offset
        enter(place, *self._made, addresses.buffer_info()[0])
        run_table(place, self._starts, self._most, self._n_threads, meets=self._meets)
