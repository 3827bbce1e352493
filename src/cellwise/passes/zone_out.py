"""Zone out: states that now and then keep the value of the step before.

    h[t] = …        becomes        new_h[t] = …
                                   h[t] = zoneout_h * h[t-1] + (1 - zoneout_h) * new_h[t]

What read `h[t]` within the step reads `new_h[t]`. In training `zoneout_h[t]` is a random mask of
zeros and ones, drawn for every unit and step: an input of the cell. Else it is the mask's mean, a
constant, as dropout's is.

Source: Krueger et al. 2017 (arXiv:1606.01305), equations 5 to 7 and section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cellwise.graph.build import add, constant, mul, number, read, remake, sub
from cellwise.graph.node import Node
from cellwise.graph.system import Equation, System
from cellwise.graph.transform import rewrite_system


def zone_out(system: System, rates: Mapping[str, float]) -> System:
    """The system whose states stay with these probabilities: what it computes on average.

    The rates are constants of it, named as `mask_names` says.
    """
    names = mask_names(system, rates)
    zoned = _zoned(system, {state: constant(name) for state, name in names.items()})
    own = tuple((name, float(rates[state])) for state, name in names.items())
    return replace(zoned, constants=(*system.constants, *own))


def take_masks(zoned: System, names: Mapping[str, str]) -> System:
    """What `zone_out` gave, with inputs in the place of the rates: a mask of each state's shape.

    Args:
        zoned: the system.
        names: for each state how its mask is called.
    """
    masks = {name: read(name, "t", zoned.shape_of(state)) for state, name in names.items()}

    def of_mask(node: Node, arguments: tuple[Node, ...]) -> Node:
        if node.operation == "constant" and node.attributes[0] in masks:
            return masks[str(node.attributes[0])]
        return remake(node, arguments)

    kept = tuple((name, value) for name, value in zoned.constants if name not in masks)
    return replace(rewrite_system(zoned, of_mask), constants=kept)


def mask_names(system: System, rates: Mapping[str, float]) -> dict[str, str]:
    """How the masks of states are called, in the order of the states: `zoneout_h`."""
    return {state: _free(f"zoneout_{state}", system) for state in system.states if state in rates}


def _zoned(system: System, masks: Mapping[str, Node]) -> System:
    fresh = {state: _free(f"new_{state}", system) for state in masks}

    def of_this_step(node: Node, arguments: tuple[Node, ...]) -> Node:
        if node.operation == "read" and node.attributes[0] in fresh and node.attributes[1] == "t":
            return read(fresh[str(node.attributes[0])], "t", node.shape)
        return remake(node, arguments)

    lines: list[Equation] = []
    for line in rewrite_system(system, of_this_step).equations:
        if line.name not in fresh:
            lines.append(line)
            continue
        mask, shape = masks[line.name], line.value.shape
        kept = mul(mask, read(line.name, "t-1", shape))
        new = mul(sub(number(1.0), mask), read(fresh[line.name], "t", shape))
        lines.append(replace(line, name=fresh[line.name]))
        lines.append(Equation(line.name, line.index, add(kept, new), "zoneout"))
    return replace(system, equations=tuple(lines))


def _free(name: str, system: System) -> str:
    """The name, or one like it that the system does not use."""
    used = {*system.defined, *system.inputs, *system.parameters, *dict(system.constants)}
    while name in used:
        name += "_"
    return name
