"""Numbers for a cell's symbolic sizes, from what the user of a layer says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from cellwise.errors import ShapeError, Span, nearest
from cellwise.graph.dimension import Dim
from cellwise.graph.node import walk
from cellwise.graph.system import System


@dataclass(frozen=True)
class Demand:
    """`size` must be `value`, because the user said so of `name`; `said` is how."""

    size: Dim
    value: int
    said: str
    span: Span | None


def is_size(value: Any) -> bool:
    """Whether a value is a whole number of at least 1, of Python or numpy."""
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1


def resolve_sizes(
    system: System, *, input_size: int, hidden_size: int, sizes: Mapping[str, int]
) -> dict[str, int]:
    """A number for every size of the system; sizes that nothing determines become `hidden_size`.

    Raises:
        ShapeError: a name is unknown, or two demands contradict each other.
    """
    demands = _demands(system, input_size, hidden_size, sizes)
    found: dict[str, int] = {}
    pending = demands
    while any(_solve(demand, found) for demand in pending):
        pending = [d for d in pending if set(d.size.names()) - set(found)]
    for name in _all_names(system):
        if name not in found:
            found[name] = hidden_size
            while any(_solve(demand, found) for demand in demands):
                pass
    for demand in demands:
        _check(demand, found)
    return found


def _demands(
    system: System, input_size: int, hidden_size: int, sizes: Mapping[str, int]
) -> list[Demand]:
    signals = [*system.defined, *system.inputs]
    demands = [_demand(system, system.output, hidden_size, f"hidden_size={hidden_size}")]
    demands += [_demand(system, n, input_size, f"input_size={input_size}") for n in system.inputs]
    for name, value in sizes.items():
        if name not in signals:
            raise ShapeError(
                f"sizes names '{name}', which is no signal of the cell",
                hint=nearest(name, signals) or f"Its signals are {', '.join(signals)}.",
            )
        if not is_size(value):
            raise ShapeError(
                f"sizes={{'{name}': {value!r}}}: a size must be a whole number of at least 1"
            )
        demands.append(_demand(system, name, int(value), f"sizes={{'{name}': {value}}}"))
    return demands


def _demand(system: System, name: str, value: int, said: str) -> Demand:
    shape = system.shape_of(name)
    size = shape[0] if shape else Dim((), 1)
    spans = {line.name: line.span for line in system.lines()}
    reads = [node for (read_name, _), node in system.reads().items() if read_name == name]
    span = spans.get(name) or next((system.spans[n] for n in reads if n in system.spans), None)
    return Demand(size, value, said, span)


def _solve(demand: Demand, found: dict[str, int]) -> bool:
    """Find the one size of a demand that is still open, if there is just one."""
    unknown = [(name, count) for name, count in demand.size.terms if name not in found]
    if len(unknown) != 1:
        return False
    name, count = unknown[0]
    rest = demand.value - demand.size.evaluate({**found, name: 0})
    if rest % count or rest // count < 1:
        raise ShapeError(
            f"{demand.said}, but its size is {demand.size}, which leaves no whole size for {name}",
            span=demand.span,
        )
    found[name] = rest // count
    return True


def _check(demand: Demand, found: Mapping[str, int]) -> None:
    value = demand.size.evaluate(found)
    if value != demand.value:
        known = ", ".join(f"{name} = {found[name]}" for name in demand.size.names())
        alone = str(demand.size) in ("1", *demand.size.names())
        reason = str(value) if alone else f"{demand.size} = {value}"
        reason += f" with {known}" if demand.size.terms and not alone else ""
        raise ShapeError(f"{demand.said}, but the equations make it {reason}", span=demand.span)


def _all_names(system: System) -> list[str]:
    """Every name of a size, in order of first use."""
    shapes = [node.shape for node in walk(system.roots())]
    return list(dict.fromkeys(name for shape in shapes for size in shape for name in size.names()))
