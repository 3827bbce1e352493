"""What training disturbs within a cell: states that stay, recurrent weights that are zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cellwise.cell import Cell
from cellwise.errors import ConfigError, nearest
from cellwise.graph.node import walk
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
    for state, rate in zoneout.items():
        check_share(f"zoneout of '{state}'", rate)
        if state not in cell.states:
            hint = nearest(state, cell.states) or f"Its states: {', '.join(cell.states) or 'none'}."
            raise ConfigError(f"the cell '{cell.name}' has no state '{state}'. {hint}")
    return {state: float(rate) for state, rate in zoneout.items() if rate}


def recurrent_weights(system: System) -> tuple[str, ...]:
    """The matrices that multiply a state of the step before, or what their own line makes of it."""
    found = dict[str, None]()
    for node in walk(system.roots()):
        if node.operation == "matmul" and node.arguments[0].operation == "parameter":
            reads = (n for n in walk([node.arguments[1]]) if n.operation == "read")
            if any(n.attributes[1] == "t-1" for n in reads):
                found[str(node.arguments[0].attributes[0])] = None
    return tuple(found)
