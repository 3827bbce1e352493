"""What back ends run: a system in sections, by what needs the loop over the steps."""

from __future__ import annotations

from dataclasses import dataclass

from cellwise.graph.system import Equation, System


@dataclass(frozen=True)
class Program:
    """A system whose equations are sorted into sections.

    Attributes:
        system: all equations of the sections, in order, as a system.
        before: over all steps at once, ahead of the loop: no state reaches them.
        loop: step by step.
        after: over all steps at once, behind the loop: no equation of the loop reads them. They can
            read states of the loop at `t-1` (`t+1` in reverse).
        totals: sums over all steps, after everything else.
    """

    system: System
    before: tuple[Equation, ...]
    loop: tuple[Equation, ...]
    after: tuple[Equation, ...]
    totals: tuple[Equation, ...]
