"""One layer of a recursive network: the parameters of a cell, and its fold over a forest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from cellwise.backends import NODES_BACKENDS, serving_nodes
from cellwise.backends.kept import kept
from cellwise.cell import Cell
from cellwise.errors import EquationError, StructureError
from cellwise.graph.node import walk
from cellwise.graph.system import System
from cellwise.layers.initialise import reset
from cellwise.layers.states import state_type
from cellwise.passes.content import content
from cellwise.passes.nodes import CompiledNodes, compile_nodes
from cellwise.passes.stored import dump_nodes, load_nodes
from cellwise.structures.fold_nodes import fold_nodes
from cellwise.structures.forest import Forest
from cellwise.structures.nodes import ordered
from cellwise.structures.nodes_call import bind_nodes, nodes_bound_of


@lru_cache(maxsize=256)
def _compiled(system: System) -> CompiledNodes:
    own = replace(system, initial=())
    return load_nodes(kept(lambda: dump_nodes(compile_nodes(own)), content(own), "nodes"))


@dataclass(frozen=True)
class Numbers:
    """Numbers for a cell's sizes and constants, and how many labels edges can have."""

    sizes: Mapping[str, int]
    constants: Mapping[str, float]
    n_relations: int


class Recursion(nn.Module):
    """The parameters of one layer, named as in the equations, and the fold over a forest.

    Attributes:
        states: the names of the states, the output first.
        slots: the names of the slots that the cell reads.
        runs_down: whether it reads a node's parent, so that roots come first.
        only_leaves_read: whether only leaves' equations read the input.
    """

    def __init__(
        self,
        cell: Cell,
        numbers: Numbers,
        backend: str,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ):
        super().__init__()
        self.cell, self.sizes = cell, dict(numbers.sizes)
        self.constants, self.n_relations = dict(numbers.constants), numbers.n_relations
        self.backend = backend
        self._bind()
        for name, shape in cell.system.parameters.items():
            lengths = [size.evaluate(self.sizes) for size in shape]
            if name in cell.system.labels:
                lengths.insert(0, self.n_relations)
            self._register(name, nn.Parameter(torch.empty(lengths, device=device, dtype=dtype)))

    def _register(self, name: str, parameter: nn.Parameter) -> None:
        if hasattr(self, name):
            raise EquationError(
                f"a parameter of a layer cannot be called '{name}': the module uses this name",
                hint=f"Call it {name}_.",
            )
        self.register_parameter(name, parameter)

    def _bind(self) -> None:
        system = self.cell.system
        compiled = _compiled(system)
        self._key = bind_nodes(compiled, self.sizes, self.constants, self.backend, self.n_relations)
        self._used = list(compiled.forward.parameters)
        self.slots, self.runs_down = compiled.slots, compiled.down
        self.states = compiled.states
        state_type(tuple(self.states))
        reads = {
            str(node.attributes[0])
            for line in system.equations
            for node in walk([line.value])
            if node.operation == "read"
        }
        self.only_leaves_read = bool(system.leaf) and not reads & set(system.inputs)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come back from a copy or another process: bind the cell there too."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._bind()

    def _like(self) -> Tensor:
        weight = next(iter(self.parameters()), None)
        return torch.empty(0) if weight is None else weight

    def serving(self) -> tuple[str, str]:
        """The back end that serves a call now, and why."""
        backend, why = serving_nodes(nodes_bound_of(self._key), self._like())
        return backend.name, why

    def refusal(self) -> str:
        """Why the back end that was asked for by name cannot serve, or an empty text."""
        if self.backend == "auto":
            return ""
        return NODES_BACKENDS[self.backend].refuses(nodes_bound_of(self._key), self._like())

    def weight(self, name: str) -> Tensor:
        """A parameter by its name in the equations."""
        tensor = getattr(self, name)
        assert isinstance(tensor, Tensor)
        return tensor

    def reset_parameters(self) -> None:
        """Draw all parameters anew; of labelled ones each label's by itself."""
        system = self.cell.system
        whole = {name: self.weight(name) for name in system.parameters}
        for label in range(max(1, self.n_relations)):
            own = {n: t[label] if n in system.labels else t for n, t in whole.items()}
            reset(own, system, self.cell.init)

    def forward(self, x: Tensor, forest: Forest) -> tuple[Tensor, list[Tensor]]:
        """Fold over x [N, I]: the output of each node, and the states where the sweep ends."""
        self._check(forest)
        order = ordered(forest, leaf=bool(self.cell.system.leaf), down=self.runs_down)
        own = self._parameters.get  # quicker than an attribute, if it is one of them
        found = [(own(name), name) for name in self._used]
        weights = [self.weight(name) if weight is None else weight for weight, name in found]
        return fold_nodes(self._key, order, x, weights)

    def _check(self, forest: Forest) -> None:
        name = self.cell.name
        missing = [slot for slot in self.slots if slot not in forest.slot_names]
        if missing:
            known = " and ".join(forest.slot_names) or "none"
            hint = ": forest.binary() gives trees left and right children" * (
                not forest.slot_names and set(missing) <= {"left", "right"}
            )
            raise StructureError(
                f"the cell '{name}' reads [{missing[0]}], but the forest's slots are {known}{hint}"
            )
        if self.cell.system.labels and forest.relations is None:
            raise StructureError(
                f"the cell '{name}' chooses a parameter by the label of an edge, "
                "but the forest has no relations"
            )
        if self.cell.system.labels and forest.n_relations > self.n_relations:
            raise StructureError(
                f"the forest has {forest.n_relations} relations, but the layer n_relations="
                f"{self.n_relations}"
            )
        if self.runs_down and not forest.are_trees:
            raise StructureError(
                f"the cell '{name}' reads [parent], but a node of the forest has several"
            )
