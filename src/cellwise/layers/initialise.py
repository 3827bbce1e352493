"""First values of parameters: what the cell says, else what its equations suggest.

Recurrent square matrices are orthogonal (Saxe, McClelland and Ganguli 2014), other matrices uniform
after Glorot and Bengio (2010, eq. 16), biases zero, the bias of a forget gate 1 (Jozefowicz,
Zaremba and Sutskever 2015), gains of a normalisation 1, other vectors that multiply a signal
uniform in ±1/√n, exponents 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cellwise.errors import ConfigError
from cellwise.graph.node import Node, walk
from cellwise.graph.system import PREVIOUS, System

_UNIFORM = re.compile(r"uniform\(([^,]+),([^,]+)\)")
_NORMAL = re.compile(r"normal\(([^,]+)\)")


def suggested(system: System) -> dict[str, str | float]:
    """For every parameter, the first value that the equations suggest."""
    uses: dict[str, list[tuple[Node, Node]]] = {name: [] for name in system.parameters}
    for node in walk(system.roots()):
        for argument in node.arguments:
            turned = argument.operation == "transpose"
            leaf = argument.arguments[0] if turned else argument
            if leaf.operation in ("parameter", "labelled") and node.operation != "transpose":
                uses[str(leaf.attributes[0])].append((node, leaf))
    forget, sums = _forget_biases(system), _sums_of_children(system)
    return {name: 1.0 if name in forget else _suggest(pairs, sums) for name, pairs in uses.items()}


def _suggest(uses: list[tuple[Node, Node]], sums: set[str]) -> str | float:
    """The rule for one parameter from the operations that use it."""
    rank = max((len(argument.shape) for _, argument in uses), default=1)
    if rank > 1:
        recurrent = any(_reads_state(user.arguments, sums) for user, _ in uses)
        return "recurrent" if recurrent and rank == 2 else "glorot"
    if any(user.operation == "pow" and leaf is user.arguments[1] for user, leaf in uses):
        return "ones"
    factors = [user for user, _ in uses if user.operation in ("mul", "div", "dot")]
    if not factors:
        return "zeros"
    gain = any(a.operation == "norm" for user in factors for a in user.arguments)
    return "ones" if gain else "scaled"


def _reads_state(roots: tuple[Node, ...], sums: set[str]) -> bool:
    reads = (n.attributes for n in walk(roots) if n.operation == "read")
    return any(index in PREVIOUS or (index == "n" and name in sums) for name, index, *_ in reads)


def _sums_of_children(system: System) -> set[str]:
    """The signals that are sums over a node's children."""
    return {line.name for line in system.equations if line.value.operation == "sum_children"}


def _forget_biases(system: System) -> set[str]:
    """Biases inside the sigmoid of a signal that multiplies a state's previous value itself.

    Over trees that is a child's, or a parent's.
    """
    kept = set()
    for node in walk(system.roots()):
        if node.operation == "mul":
            first, second = node.arguments
            for gate, other in ((first, second), (second, first)):
                if other.operation == "read" and other.attributes[1] in PREVIOUS:
                    kept.add(gate)
    found = set()
    for line in system.equations:
        place = (line.name, line.index)
        gates = [n for n in kept if n.operation == "read" and n.attributes[:2] == place]
        if (gates or line.value in kept) and line.value.operation == "sigmoid":
            found |= _added(line.value.arguments[0])
    return found


def _added(node: Node) -> set[str]:
    """The vector parameters that are terms of a sum."""
    found, stack = set(), [node]
    while stack:
        inner = stack.pop()
        if inner.operation == "add":
            stack.extend(inner.arguments)
        elif inner.operation == "parameter" and len(inner.shape) == 1:
            found.add(str(inner.attributes[0]))
    return found


@torch.no_grad()
def initialise(tensor: Tensor, how: str | float) -> None:
    """Fill a parameter.

    Raises:
        ConfigError: `how` is no known way.
    """
    if isinstance(how, int | float):
        nn.init.constant_(tensor, how)
    elif how in ("zeros", "ones"):
        nn.init.constant_(tensor, float(how == "ones"))
    elif how == "recurrent":
        square = tensor.dim() == 2 and tensor.shape[0] == tensor.shape[1]
        initialise(tensor, "orthogonal" if square else "glorot")
    elif how == "orthogonal":
        # half precision has no QR decomposition
        drawn = torch.empty_like(tensor, dtype=torch.promote_types(tensor.dtype, torch.float32))
        tensor.copy_(nn.init.orthogonal_(drawn))
    elif how == "glorot":
        outputs, inputs = tensor.shape[0], math.prod(tensor.shape[1:])
        nn.init.uniform_(tensor, -1, 1).mul_(math.sqrt(6 / max(outputs + inputs, 1)))
    elif how == "scaled":
        nn.init.uniform_(tensor, -1, 1).div_(math.sqrt(max(tensor.shape[0], 1)))
    elif match := _UNIFORM.fullmatch(how):
        nn.init.uniform_(tensor, float(match[1]), float(match[2]))
    elif match := _NORMAL.fullmatch(how):
        nn.init.normal_(tensor, 0.0, float(match[1]))
    else:
        raise ConfigError(f"unknown initial value '{how}'")


def reset(
    parameters: Mapping[str, Tensor], system: System, said: Mapping[str, str | float]
) -> None:
    """Fill all parameters of a cell: what the cell says goes before what its equations suggest."""
    ways = {**suggested(system), **said}
    for name, tensor in parameters.items():
        initialise(tensor, ways[name])
