"""How far a case stays from the kinks of its functions, where differences mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cellwise.graph.node import Node, walk
from cellwise.graph.operations import OPERATIONS
from cellwise.graph.system import Equation, System
from tests.evaluate import Array, Feed, evaluate

WIDTH = 1e-3
"""The least distance from a kink: a thousand steps of the central differences."""
LARGEST = 1e3
"""The largest value of a signal at which differences keep their digits."""

Distance = Callable[..., Array]


def _gap(v: Array) -> Array:
    """Between the largest and the second largest."""
    ordered = np.sort(v, axis=-1)
    return ordered[..., 1:][..., -1:] - ordered[..., :-1][..., -1:]


def _spread(v: Array) -> Array:
    """A hundredth of the standard deviation, if any: `norm` is steep where that is small."""
    return v.std(axis=-1) / 100 if v.shape[-1] > 1 else np.array(np.inf)


DISTANCE: dict[str, Distance] = {
    **dict.fromkeys(("abs", "sign", "step", "relu"), np.abs),
    "hard_sigmoid": lambda a: np.abs(np.abs(a) - 3),
    "hard_tanh": lambda a: np.abs(np.abs(a) - 1),
    **dict.fromkeys(("largest", "is_largest"), _gap),
    "smallest": lambda v: _gap(-v),
    **dict.fromkeys(("norm", "inverse_std"), _spread),
}
"""For operations of one argument: how far it is from where there is no derivative."""
COMPARING = ("maximum", "minimum", "greater")
"""Operations of two arguments with a kink where they are equal, but not the same."""

SMOOTH = set(OPERATIONS) - set(DISTANCE) - set(COMPARING)


def is_tame(system: System, feed: Feed) -> bool:
    """Whether all signals are of moderate size and every function is used away from its kinks."""
    probes: list[tuple[Distance, list[str]]] = []
    lines: list[Equation] = list(system.equations)
    for node in walk([line.value for line in system.equations]):
        if node.operation in SMOOTH or len(set(node.arguments)) < len(node.arguments):
            continue
        names = [_probe(argument, lines) for argument in node.arguments]
        probes.append((DISTANCE.get(node.operation, _difference), names))
    signals = evaluate(replace(system, equations=tuple(lines)), feed).signals
    if any(not np.all(np.abs(signals[name]) < LARGEST) for name in system.defined):
        return False
    return all(
        np.all(distance(*(signals[name] for name in names)) > WIDTH) for distance, names in probes
    )


def _difference(a: Array, b: Array) -> Array:
    rank = max(a.ndim, b.ndim)
    a, b = (v.reshape(*v.shape, *[1] * (rank - v.ndim)) for v in (a, b))
    return np.abs(a - b)


def _probe(node: Node, lines: list[Equation]) -> str:
    """The name of a further equation that holds the value of a node."""
    name = f"probe {len(lines)}"
    lines.append(Equation(name, "t", node))
    return name
