"""A cell as a torch user writes it by hand: a Python loop over the steps, autograd behind it.

The step is a `torch.fx` module, so that the loop runs plain Python code with a call of torch for
each operation; `EagerLoop.code` is that code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from cellwise.bench.as_written import ArrayLibrary, Step, Values
from cellwise.graph.operations import EPSILON
from cellwise.graph.system import System


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Any], Any]:
    return lambda a: function(torch.tensor(a)) if isinstance(a, float) else function(a)


def _maximum(a: Any, b: Any) -> Any:
    if isinstance(a, float) and isinstance(b, float):
        return max(a, b)
    if isinstance(b, float):
        return torch.clamp(a, min=b)
    return torch.clamp(b, min=a) if isinstance(a, float) else torch.maximum(a, b)


def _minimum(a: Any, b: Any) -> Any:
    if isinstance(a, float) and isinstance(b, float):
        return min(a, b)
    if isinstance(b, float):
        return torch.clamp(a, max=b)
    return torch.clamp(b, max=a) if isinstance(a, float) else torch.minimum(a, b)


def _spread(value: Any, like: Any) -> Any:
    if isinstance(value, float):
        return torch.full_like(like[:, :1], value)
    return value.reshape(1, -1).to(like.dtype).expand(like.shape[0], -1)


def _as_tensor(value: Any) -> Tensor:
    """What the step takes as an argument: a number as a tensor that takes others' precision."""
    return torch.tensor(value, dtype=torch.float64) if isinstance(value, float) else value


_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "sign": torch.sign,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "softplus": functional.softplus,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "hard_sigmoid": functional.hardsigmoid,
    "hard_tanh": functional.hardtanh,
}

TORCH = ArrayLibrary(
    functions={
        **{name: _unary(function) for name, function in _UNARY.items()},
        "maximum": _maximum,
        "minimum": _minimum,
        "sum": lambda v: v.sum(-1, keepdim=True),
        "mean": lambda v: v.mean(-1, keepdim=True),
        "largest": lambda v: v.amax(-1, keepdim=True),
        "smallest": lambda v: v.amin(-1, keepdim=True),
        "dot": lambda a, b: (a * b).sum(-1, keepdim=True),
        "softmax": lambda v: torch.softmax(v, -1),
        "matmul": torch.matmul,
        "transpose": lambda m: m.T,
        "concat": lambda *pieces: torch.cat(pieces, -1),
        "bilinear": lambda v, a, b: functional.bilinear(a, b, v),
    },
    linear=functional.linear,
    vectors={"norm": lambda v, size: functional.layer_norm(v, (size,), eps=EPSILON)},
    spread=_spread,
)


class EagerLoop(nn.Module):
    """One direction of a cell, its steps one after another.

    Args:
        system: the cell's.
        sizes: the numbers of its sizes.
        constants: the values of its constants.
        weights: the parameters by name; they are copied.

    Raises:
        BackendError: the equations hold what is not written down in `TORCH`.
    """

    def __init__(
        self,
        system: System,
        sizes: Mapping[str, int],
        constants: Mapping[str, float],
        weights: Mapping[str, Tensor],
    ):
        super().__init__()
        self.system, self.constants = system, dict(constants)
        self.written = Step(system, TORCH, sizes)
        self.weights = {n: nn.Parameter(w.detach().clone()) for n, w in weights.items()}
        self.registered = nn.ParameterList(self.weights.values())
        self.learned = {state: str(node.attributes[0]) for state, node in system.initial}
        self.state_sizes = [
            shape[0].evaluate(sizes) if (shape := system.shape_of(name)) else 1
            for name in system.states
        ]
        self.step = self._traced()

    @property
    def code(self) -> str:
        """The Python code of a step."""
        return str(self.step.code)

    def _traced(self) -> fx.GraphModule:
        graph = fx.Graph()
        tracer = fx.proxy.GraphAppendingTracer(graph)

        def argument(name: str) -> fx.Proxy:
            return fx.Proxy(graph.placeholder(name), tracer)

        system = self.system
        signals = {(name, "t"): argument(name) for name in system.inputs}
        signals |= {(name, "t-1"): argument(f"last_{name}") for name in system.states}
        fixed: Values = {}
        for place, node in enumerate(self.written.shared):
            own = node.operation == "parameter"
            fixed[node] = argument(str(node.attributes[0]) if own else f"shared_{place}")
        for node, value in self.written.once(self.weights, self.constants).items():
            fixed.setdefault(node, value)
        found = self.written(fixed, signals)
        results = [found[name] for name in (*system.states, system.output)]
        graph.output(tuple(result.node for result in results))
        return fx.GraphModule({}, graph)

    def _start(self, first: Tensor) -> list[Tensor]:
        states = []
        for name, size in zip(self.system.states, self.state_sizes, strict=True):
            if name in self.learned:
                learned = self.weights[self.learned[name]].reshape(-1)
                states.append(learned.expand(len(first), -1))
            else:
                states.append(first.new_zeros(len(first), size))
        return states

    def forward(
        self, pieces: Sequence[Tensor], live: Sequence[Tensor] | None = None
    ) -> list[Tensor]:
        """The outputs of all steps.

        Args:
            pieces: the inputs [B_t, I] of every step; B_t may fall.
            live: with inputs of one size, which rows go on: bool [B, 1] a step.
        """
        values = self.written.once(self.weights, self.constants)
        shared = [_as_tensor(values[node]) for node in self.written.shared]
        states, outputs = self._start(pieces[0]), []
        for at, x in enumerate(pieces):
            if states and len(x) < len(states[0]):
                states = [state[: len(x)] for state in states]
            *renewed, y = self.step(x, *states, *shared)
            if live is not None:
                renewed = [
                    torch.where(live[at], new, old)
                    for new, old in zip(renewed, states, strict=True)
                ]
            states = renewed
            outputs.append(y)
        return outputs
