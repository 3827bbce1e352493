"""One layer in one direction: the parameters of a cell, named as in its equations, and its fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from cellwise.backends import BACKENDS, serving
from cellwise.backends.base import Bound
from cellwise.backends.kept import kept
from cellwise.cell import Cell
from cellwise.errors import ConfigError, EquationError
from cellwise.graph.system import System
from cellwise.layers.initialise import reset
from cellwise.layers.noise import Noise
from cellwise.layers.states import state_type
from cellwise.passes.content import content
from cellwise.passes.pipeline import Compiled, compile_system
from cellwise.passes.saved import Memory
from cellwise.passes.stored import dump, load
from cellwise.passes.zone_out import take_masks
from cellwise.structures.batch import Levels
from cellwise.structures.call import Arrays, bind, bound_of
from cellwise.structures.fold import fold, fold_padded


@lru_cache(maxsize=256)
def _compiled(system: System, memory: Memory) -> Compiled:
    """The programs of a system; learned initial states are the layer's affair, not the fold's."""
    own = replace(system, initial=())
    made = kept(lambda: dump(compile_system(own, memory=memory)), content(own), memory)
    return load(made)


@dataclass(frozen=True)
class Serving:
    """What serves a layer's folds: the back end's name, or "auto", and what it keeps in memory."""

    backend: str
    memory: Memory


class Direction(nn.Module):
    """The parameters of one layer in one direction, and the fold of the cell over rows.

    Parameters carry the names of the equations: `W_z`, `b_f`, …  `state_sizes` gives the size of
    each state, 1 for a scalar.
    """

    def __init__(
        self,
        cell: Cell,
        sizes: Mapping[str, int],
        constants: Mapping[str, float],
        serving: Serving,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ):
        super().__init__()
        self.cell, self.sizes, self.constants = cell, dict(sizes), dict(constants)
        self.backend, self.memory = serving.backend, serving.memory
        self.noise: Noise | None = None
        self._bind()
        for name, shape in cell.system.parameters.items():
            numbers = [size.evaluate(self.sizes) for size in shape]
            self._register(name, nn.Parameter(torch.empty(numbers, device=device, dtype=dtype)))

    def _register(self, name: str, parameter: nn.Parameter) -> None:
        if hasattr(self, name) or name == "reverse":
            raise EquationError(
                f"a parameter of a layer cannot be called '{name}': the module uses this name",
                hint=f"Call it {name}_.",
            )
        self.register_parameter(name, parameter)

    def disturb(self, noise: Noise | None) -> None:
        """Disturb the cell while it trains."""
        self.noise = noise
        self._bind()

    def _bind(self) -> None:
        compiled = _compiled(self.cell.system, self.memory)
        if self.noise is not None:
            noisy = take_masks(self.cell.system, self.noise.masks)
            self._noisy_key = bind(
                _compiled(noisy, self.memory), self.sizes, self.constants, self.backend
            )
        self._key = bind(compiled, self.sizes, self.constants, self.backend)
        self._used = list(compiled.forward.system.parameters)
        shapes = {name: self.cell.system.shape_of(name) for name in self.cell.states}
        self._scalar = [len(shape) == 0 for shape in shapes.values()]
        state_type(tuple(shapes))
        self._scalar_output = len(self.cell.system.shape_of(self.cell.output)) == 0
        self.state_sizes = {
            name: shape[0].evaluate(self.sizes) if shape else 1 for name, shape in shapes.items()
        }
        self._has_scalars = any(self._scalar) or self._scalar_output
        self._edges = [(size,) for size in self.state_sizes.values()]
        self._learned = {state: str(node.attributes[0]) for state, node in self.cell.system.initial}

    @property
    def bound(self) -> Bound:
        """The cell with its sizes and constants, as back ends know it."""
        return bound_of(self._key)

    def _like(self) -> Tensor:
        """An array of the precision and on the device that the parameters have."""
        weight = next(iter(self.parameters()), None)
        return torch.empty(0) if weight is None else weight

    def serving(self) -> tuple[str, str]:
        """The back end that serves a call now, and why."""
        backend, why = serving(bound_of(self._key), self._like())
        return backend.name, why

    def refusal(self) -> str:
        """Why the back end that was asked for by name cannot serve, or an empty text."""
        if self.backend == "auto":
            return ""
        return BACKENDS[self.backend].refuses(bound_of(self._key), self._like())

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come back from a copy or another process: bind the cell there too."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._bind()

    def weight(self, name: str) -> Tensor:
        """A parameter by its name in the equations."""
        tensor = getattr(self, name)  # not from _parameters: it may be parametrized or pruned
        if not isinstance(tensor, Tensor):
            raise ConfigError(f"the parameter '{name}' is no tensor any more, but {tensor!r}")
        return tensor

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        own = {name: self.weight(name) for name in self.cell.system.parameters}
        reset(own, self.cell.system, self.cell.init)

    def initial(self, rows: Tensor, n_sequences: int) -> list[Tensor]:
        """The states before the first step, [B, ·]: learned ones repeated, others zeros."""
        states = []
        for name, size in self.state_sizes.items():
            if name in self._learned:
                learned = self.weight(self._learned[name]).reshape(-1)
                states.append(learned.expand(n_sequences, -1))
            else:
                states.append(rows.new_zeros(n_sequences, size))
        return states

    def signal_size(self, name: str) -> int:
        """How many numbers a signal has at each step."""
        shape = self.cell.system.shape_of(name)
        return shape[0].evaluate(self.sizes) if shape else 1

    def arrays(self, rows: Tensor, states: Sequence[Tensor]) -> Arrays:
        """What a fold over rows [R, I] from states [B, ·] is fed."""
        edges = [s.squeeze(-1) if one else s for s, one in zip(states, self._scalar, strict=True)]
        return Arrays([rows], edges, self._weights())

    def _disturbed(self, arrays: Arrays, noise: Noise) -> Arrays:
        """The same arrays with masks for the states that may stay, and some weights zero."""
        rows, constants = arrays.inputs[0], {**self.cell.constants, **self.constants}
        masks = []
        for state, name in noise.masks.items():
            shape = self.cell.system.shape_of(state)
            mask = rows.new_empty(len(rows), *(size.evaluate(self.sizes) for size in shape))
            masks.append(mask.bernoulli_(constants[name]))
        inputs = dict(zip((*self.cell.inputs, *noise.masks.values()), [rows, *masks], strict=True))
        system = bound_of(self._noisy_key).compiled.forward.system
        weights = [
            nn.functional.dropout(weight, noise.weight_dropout) if name in noise.weights else weight
            for name, weight in zip(self._used, arrays.parameters, strict=True)
        ]
        return Arrays([inputs[name] for name in system.inputs], arrays.edges, weights)

    def padded(self, x: Tensor) -> tuple[Tensor, list[Tensor]] | None:
        """Fold over x [T, B, I] from states of zeros: the output [T, B, H], last states [1, B, ·].

        None where `forward` has to do it.
        """
        if self._learned or self._has_scalars or (self.training and self.noise is not None):
            return None
        if self._is_watched():
            return None
        return fold_padded(self._key, x, self._edges, self._weights())

    def _is_watched(self) -> bool:
        """Whether somebody has hooks that only torch's way of calling a module calls."""
        own = self._forward_hooks, self._forward_pre_hooks
        backward = self._backward_hooks, self._backward_pre_hooks
        return any((*own, *backward)) or nn.modules.module._has_any_global_hook()

    def _weights(self) -> list[Tensor]:
        own = self._parameters.get  # quicker than an attribute, if it is one of them
        found = [(own(name), name) for name in self._used]
        return [self.weight(name) if weight is None else weight for weight, name in found]

    def forward(
        self, rows: Tensor, states: list[Tensor], levels: Levels, *, quiet: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Fold over rows [R, I] from states [B, ·]: the output's rows [R, H] and last states.

        `quiet`: undisturbed, also while training.
        """
        key, arrays = self._key, self.arrays(rows, states)
        if self.training and self.noise is not None and not quiet:
            key, arrays = self._noisy_key, self._disturbed(arrays, self.noise)
        y, last = fold(key, arrays, levels.sizes)
        ends = zip(last, self._scalar, strict=True)
        y = y.unsqueeze(-1) if self._scalar_output else y
        return y, [s.unsqueeze(-1) if one else s for s, one in ends]
