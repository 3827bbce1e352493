"""What the formulas share: joined products, and the loop over the steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import linear

Named = Mapping[str, Tensor]
Step = Callable[[Tensor, Named, Named], dict[str, Tensor]]


def joined(p: Named, gate: str, x: Tensor, h: Tensor) -> Tensor:
    """The weighted sum of input and state as one product with the joined matrix."""
    weight = torch.cat([p[f"U_{gate}"], p[f"W_{gate}"]], 1)
    return linear(torch.cat([x, h], -1), weight, p.get(f"b_{gate}"))


def of_input(p: Named, gate: str, x: Tensor) -> Tensor:
    """The weighted sum of the input alone."""
    return linear(x, p[f"U_{gate}"], p.get(f"b_{gate}"))


def stacked(p: Named, gates: str, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    """The sums of all gates, one letter each: two products with stacked matrices, cut apart."""
    inputs = linear(x, torch.cat([p[f"U_{g}"] for g in gates]))
    states = linear(h, torch.cat([p[f"W_{g}"] for g in gates]))
    biases = torch.cat([p[f"b_{g}"] for g in gates])
    return (inputs + states + biases).chunk(len(gates), -1)


def run(
    step: Step, x: Tensor, states: Named, parameters: Named, output: str
) -> tuple[Tensor, dict[str, Tensor]]:
    """The output at every step, [T, B, H], and the last states."""
    ys, now = [], dict(states)
    for x_t in x:
        signals = step(x_t, now, parameters)
        ys.append(signals[output])
        now = {name: signals[name] for name in now}
    return torch.stack(ys), now
