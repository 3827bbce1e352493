"""What back ends run: a system in sections, by what needs the loop over the steps and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cellwise.graph.node import walk
from cellwise.graph.system import Equation, System


@dataclass(frozen=True)
class Program:
    """A system whose equations are sorted into sections.

    Attributes:
        system: all equations of the sections, in order, as a system.
        before: over all steps at once, ahead of the loop: no state reaches them.
        loop: step by step.
        after: over all steps at once, behind the loop: no equation of the loop reads them. They can read
            states of the loop at `t-1` (`t+1` in reverse).
        totals: sums over all steps, after everything else.
    """

    system: System
    before: tuple[Equation, ...]
    loop: tuple[Equation, ...]
    after: tuple[Equation, ...]
    totals: tuple[Equation, ...]

    @property
    def stored(self) -> tuple[str, ...]:
        """The names that the loop defines and that `after` or `totals` read: kept for every step."""
        defined = [line.name for line in self.loop]
        read = set(_names_read((*self.after, *self.totals)))
        return tuple(name for name in defined if name in read)


def _names_read(lines: tuple[Equation, ...]) -> Iterator[str]:
    for node in walk([line.value for line in lines]):
        if node.operation == "read":
            yield str(node.attributes[0])
