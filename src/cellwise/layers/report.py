"""Which back end serves which call of a layer, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cellwise.errors import ConfigError, nearest

CALLS = ("forward", "backward", "double backward", "jvp", "vmap")


@dataclass(frozen=True)
class Served:
    """One row of the report: the call, the back end that serves it, and the reason."""

    call: str
    backend: str
    why: str


@dataclass(frozen=True)
class BackendReport:
    """The rows of a layer's report; prints as a table.

    Example:
        >>> print(BackendReport((Served("forward", "reference", "asked for"),)))
        call     backend    why
        forward  reference  asked for
    """

    rows: tuple[Served, ...]

    def __iter__(self) -> Iterator[Served]:
        return iter(self.rows)

    def __getitem__(self, call: str) -> Served:
        for row in self.rows:
            if row.call == call:
                return row
        known = [row.call for row in self.rows]
        hint = nearest(str(call), known) or f"There are {', '.join(known)}."
        raise ConfigError(f"the report has no call {call!r}. {hint}")

    def __str__(self) -> str:
        cells = [("call", "backend", "why"), *[(r.call, r.backend, r.why) for r in self.rows]]
        widths = [max(len(row[i]) for row in cells) for i in range(2)]
        lines = [f"{call:{widths[0]}}  {name:{widths[1]}}  {why}" for call, name, why in cells]
        return "\n".join(line.rstrip() for line in lines)


def report(serving: str, why: str) -> BackendReport:
    """The report of a layer whose forward and backward are served by one back end.

    Raises:
        BackendError: CELLWISE_TARGET names an instruction set that is none, or not of this machine.
    """
    if serving == "cpu":
        from cellwise.backends.cpu.target import chosen

        chosen()  # as every call asks
    reference = "only the reference is differentiable to any order and works under torch.func"
    rows = [
        Served("forward", serving, why),
        Served("backward", serving, f"{why}; runs the cell's derived backward program"),
    ]
    rows += [Served(call, "reference", reference) for call in CALLS[2:]]
    return BackendReport(tuple(rows))
