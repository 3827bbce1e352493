"""A cell as a JAX user writes it by hand: `jax.lax.scan` over the steps, under `jit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from cellwise.bench.as_written import ArrayLibrary, Step
from cellwise.bench.workload import Workload, cotangent
from cellwise.graph.operations import EPSILON
from cellwise.graph.system import System

_NAMES = "exp log sqrt sin cos sign maximum minimum matmul tanh".split()
_NN_NAMES = "sigmoid relu softplus silu".split()


def _library(jax: Any) -> ArrayLibrary:
    jnp, functions = jax.numpy, jax.nn

    def norm(v: Any, _size: int) -> Any:
        centred = v - v.mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + EPSILON)

    def linear(v: Any, matrix: Any, offset: Any) -> Any:
        return v @ matrix.T if offset is None else v @ matrix.T + offset

    def spread(value: Any, like: Any) -> Any:
        row = jnp.asarray(value, like.dtype).reshape(1, -1)
        return jnp.broadcast_to(row, (like.shape[0], row.shape[1]))

    return ArrayLibrary(
        functions={
            **{name: getattr(jnp, name) for name in _NAMES},
            **{name: getattr(functions, name) for name in _NN_NAMES},
            "erf": jax.scipy.special.erf,
            "gelu": lambda a: functions.gelu(a, approximate=False),
            "hard_sigmoid": functions.hard_sigmoid,
            "hard_tanh": functions.hard_tanh,
            "sum": lambda v: v.sum(-1, keepdims=True),
            "mean": lambda v: v.mean(-1, keepdims=True),
            "largest": lambda v: v.max(-1, keepdims=True),
            "smallest": lambda v: v.min(-1, keepdims=True),
            "dot": lambda a, b: (a * b).sum(-1, keepdims=True),
            "softmax": functions.softmax,
            "transpose": lambda m: m.T,
            "concat": lambda *pieces: jnp.concatenate(pieces, -1),
            "bilinear": lambda v, a, b: jnp.einsum("ijk,bj,bk->bi", v, a, b),
        },
        linear=linear,
        vectors={"norm": norm},
        spread=spread,
    )


class ScannedCall:
    """The forward, or forward and backward, of a workload by `jax.lax.scan`; padded, with a mask.

    Args:
        workload: what to compute.

    Raises:
        ImportError: JAX is not installed.
        BackendError: the equations hold what is not written down here.
    """

    def __init__(self, workload: Workload):
        self.jax = import_module("jax")
        self.jax.config.update("jax_enable_x64", workload.precision == "f64")
        layer, asarray = workload.layer(), self.jax.numpy.asarray
        self.constants = {**layer.cell.constants, **layer.constants}
        self.weights = [
            {
                name: asarray(direction.weight(name).detach().numpy())
                for name in layer.cell.parameters
            }
            for direction in layer._directions
        ]
        self.system: System = layer.cell.system
        self.sizes = layer._directions[0].sizes
        self.step = Step(self.system, _library(self.jax), self.sizes)
        x = workload.padded()
        y = x.new_empty(workload.n_steps, workload.batch_size, workload.width)
        self.x, self.d_y = asarray(x.numpy()), asarray(cotangent(y).numpy())
        self.live = asarray(workload.mask().numpy()) if workload.ragged else None
        function = self.forward if workload.mode == "forward" else self.both
        self.call: Callable[..., Any] = self.jax.jit(function)
        self.both_ways = workload.mode == "both"

    def __call__(self) -> Any:
        """Compute and wait for the result."""
        arguments = (self.weights, self.x, *([self.d_y] if self.both_ways else []))
        return self.jax.block_until_ready(self.call(*arguments))

    def outputs(self) -> list[Tensor]:
        """y, and with a backward the cotangent of x, as tensors."""
        result = self()
        y, *rest = (result[0], result[1][1]) if self.both_ways else (result,)
        return [torch.tensor(self.jax.device_get(value)) for value in (y, *rest)]

    def both(self, weights: Any, x: Any, d_y: Any) -> Any:
        """y, and the cotangents of the weights and of x."""
        y, pull = self.jax.vjp(self.forward, weights, x)
        return y, pull(d_y)

    def forward(self, weights: Sequence[Mapping[str, Any]], x: Any) -> Any:
        """y [T, B, H], or [T, B, 2 H] in both directions."""
        jnp = self.jax.numpy
        parts = [self._sweep(weights[0], x, self.live)]
        if len(weights) > 1:
            live = None if self.live is None else self.live[::-1]
            parts.append(self._sweep(weights[1], x[::-1], live)[::-1])
        return jnp.concatenate(parts, -1)

    def _sweep(self, weights: Mapping[str, Any], x: Any, live: Any) -> Any:
        jnp, system = self.jax.numpy, self.system
        fixed = self.step.once(weights, self.constants)

        def body(states: tuple[Any, ...], inputs: tuple[Any, ...]) -> tuple[Any, Any]:
            signals = {(system.inputs[0], "t"): inputs[0]}
            before = zip(system.states, states, strict=True)
            found = self.step(fixed, signals | {(name, "t-1"): value for name, value in before})
            renewed = [found[name] for name in system.states]
            if len(inputs) > 1:
                pairs = zip(renewed, states, strict=True)
                renewed = [jnp.where(inputs[1], new, old) for new, old in pairs]
            return tuple(renewed), found[system.output]

        inputs = (x,) if live is None else (x, live)
        return self.jax.lax.scan(body, self._start(weights, x), inputs)[1]

    def _start(self, weights: Mapping[str, Any], x: Any) -> tuple[Any, ...]:
        learned = {state: str(node.attributes[0]) for state, node in self.system.initial}
        states = []
        for name in self.system.states:
            shape = self.system.shape_of(name)
            size = shape[0].evaluate(self.sizes) if shape else 1
            start = weights[learned[name]].reshape(-1) if name in learned else 0.0
            whole = self.jax.numpy.broadcast_to(start, (x.shape[1], size))
            states.append(whole.astype(x.dtype))
        return tuple(states)
