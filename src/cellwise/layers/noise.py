"""What training disturbs within a cell: states that stay, recurrent weights that are zero."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cellwise.cell import Cell, check_rates
from cellwise.errors import ConfigError
from cellwise.graph.node import Node, walk
from cellwise.graph.system import System
from cellwise.layers.arguments import check_share
from cellwise.passes.zone_out import mask_names


@dataclass(frozen=True)
class Noise:
    """How a layer is disturbed while it trains.

    Attributes:
        masks: for each state that may stay as it was, the constant that says how probable that is.
        weights: the recurrent matrices of which some weights are zero in a call.
        weight_dropout: the probability that a weight of them is.
    """

    masks: Mapping[str, str]
    weights: tuple[str, ...]
    weight_dropout: float


def with_zoneout(
    cell: Cell, zoneout: float | Mapping[str, float], weight_dropout: float
) -> tuple[Cell, Noise | None]:
    """The cell on average, and how training disturbs it; None: not at all.

    Raises:
        ConfigError: a share is none, or the cell has no such state or recurrent weight.
    """
    rates = _rates(cell, zoneout)
    check_share("weight_dropout", weight_dropout)
    weights = recurrent_weights(cell.system) if weight_dropout else ()
    if weight_dropout and not weights:
        raise ConfigError(
            f"weight_dropout: the cell '{cell.name}' has no matrix that multiplies a state"
        )
    if not rates and not weights:
        return cell, None
    noise = Noise(mask_names(cell.system, rates), weights, float(weight_dropout))
    return cell.zoneout(rates) if rates else cell, noise


def _rates(cell: Cell, zoneout: float | Mapping[str, float]) -> dict[str, float]:
    """For each state that may stay, how probable that is."""
    if not isinstance(zoneout, Mapping):
        check_share("zoneout", zoneout)
        zoneout = dict.fromkeys(cell.states, zoneout)
    check_rates(cell, zoneout)
    return {state: float(rate) for state, rate in zoneout.items() if rate}


def recurrent_weights(system: System) -> tuple[str, ...]:
    """The matrices that multiply a state of the step before, or what is made of it first.

    What is made of it without a matrix: `k[t] = r[t] * h[t-1]`, in a line of its own or not.
    """
    earlier = {
        line.name
        for line in system.equations
        if line.name not in system.states and _reads_before(line.value, set())
    }
    found = dict[str, None]()
    for node in walk(system.roots()):
        if node.operation not in ("matmul", "bilinear"):
            continue
        weights, *operands = node.arguments
        if any(_reads_before(operand, earlier) for operand in operands):
            parameters = (n for n in walk([weights]) if n.operation == "parameter")
            found |= {str(n.attributes[0]): None for n in parameters if len(n.shape) > 1}
    return tuple(found)


def _reads_before(value: Node, earlier: Collection[str]) -> bool:
    """Whether a value reads the step before, or signals that do, other than in products."""
    stack = [value]
    while stack:
        node = stack.pop()
        if node.operation == "read":
            name, index = node.attributes[:2]
            if index == "t-1" or (index == "t" and name in earlier):
                return True
        if node.operation not in ("matmul", "bilinear"):
            stack += node.arguments
    return False
