"""What the drivers return: a derived system, and how its names go with the primal's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cellwise.graph.system import System


@dataclass(frozen=True)
class Derivative:
    """A derived system and its names.

    Attributes:
        system: the derived equations, a system like any other.
        names: for each signal, input and parameter of the primal, the name of its tangent or
            cotangent.
        out: reverse mode only: the input that holds the cotangent of the output at each step.
        previous: reverse mode only: for each state `s`, the name of what a step sends to `s[t-1]`.
        outs: reverse mode over trees only: for the output and each state, the input that holds its
            cotangent at each node.
    """

    system: System
    names: Mapping[str, str]
    out: str = ""
    previous: Mapping[str, str] = field(default_factory=dict)
    outs: Mapping[str, str] = field(default_factory=dict)


class Names:
    """Names that do not collide: with those of a system, nor with each other."""

    def __init__(self, taken: Iterable[str]):
        self._taken = set(taken)

    def fresh(self, wanted: str) -> str:
        """The wanted name, with `_` appended until it is free."""
        while wanted in self._taken:
            wanted += "_"
        self._taken.add(wanted)
        return wanted

    def fresh_or_numbered(self, wanted: str) -> str:
        """The wanted name if it is free, else the first free one of `wanted_1`, `wanted_2`, etc."""
        return self.numbered(wanted) if wanted in self._taken else self.fresh(wanted)

    def numbered(self, wanted: str) -> str:
        """The first free one of `wanted_1`, `wanted_2` and so on."""
        count = 1
        while f"{wanted}_{count}" in self._taken:
            count += 1
        return self.fresh(f"{wanted}_{count}")


def names_of(system: System, others: Iterable[str] = ()) -> Names:
    """A source of names that the system does not use, and that are none of the others."""
    return Names([*all_names(system), *others])


def all_names(system: System) -> set[str]:
    """The names of a system's signals, parameters, constants and totals."""
    constants = [name for name, _ in system.constants]
    totals = [line.name for line in system.totals]
    signals = [*system.defined, *system.inputs, *system.given]
    return {*signals, *system.parameters, *constants, *totals}
