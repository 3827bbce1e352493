"""`Recursive`: a cell folded over trees and other acyclic graphs, as a torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cellwise.backends import NODES_BACKENDS
from cellwise.cell import Cell, by_name
from cellwise.errors import BackendError, ConfigError, ShapeError, StructureError
from cellwise.layers.arguments import (
    as_cell,
    as_weights_are,
    check_backend,
    check_constants,
    check_count,
    check_input,
    check_options,
)
from cellwise.layers.recursion import Numbers, Recursion
from cellwise.layers.report import BackendReport, report
from cellwise.layers.sizes import resolve_sizes
from cellwise.layers.states import state_type
from cellwise.structures.forest import Forest

BackendName = Literal["auto", "cpu", "reference"]
Way = Literal["up", "down"]


class Recursive(nn.Module):
    """A recursive network: a cell folded over trees, in one layer or several.

    Args:
        cell: a `Cell` over nodes, the name of one in the zoo, or the text of its equations.
        input_size: I, the size of the input vectors.
        hidden_size: H, the size of the cell's output.
        direction: "up", from the leaves to the roots; "down", from the roots to the leaves, each
            node reading its parent where the equations say child; or one of the two for each
            layer: ("up", "down").
        n_relations: how many labels an edge can have, where the cell chooses parameters by them
            (`W[r] @ h[k]`).
        dropout: the share of a layer's outputs that is set to zero on the way to the next layer
            while training.
        sizes: sizes of further signals, by name: `{"m": 64}`. What nothing determines is
            `hidden_size`.
        constants: other values for the cell's constants.
        backend: "cpu" (compiled kernels), "reference" (plain torch), or "auto", which takes the
            first that can serve the call; `backend_report()` says which that is, and why.
        device: where the parameters live.
        dtype: of the parameters.

    Raises:
        EquationError: the text is not a cell, or the cell has no input or more than one.
        ShapeError: the sizes contradict the equations.
        StructureError: the cell is over sequences.
        ConfigError: an argument is not accepted, or the cell reads slots on its way down.
        BackendError: the back end that was asked for cannot serve the cell.

    Example:
        >>> import torch, cellwise as cw
        >>> forest = cw.Forest.from_brackets(["(3 (2 It) (4 (2 's) (4 good)))"])
        >>> cell = "h[n] = tanh(U @ x[n] + W @ sum(h[k] for k in n) + b)"
        >>> layer = cw.Recursive(cell, 3, 5)
        >>> y, state = layer(torch.zeros(forest.n_nodes, 3), forest)
        >>> y.shape, state.h.shape
        (torch.Size([5, 5]), torch.Size([1, 5]))
    """

    def __init__(  # noqa: PLR0913 - as Recurrent
        self,
        cell: Cell | str,
        input_size: int,
        hidden_size: int,
        *,
        direction: Way | Sequence[Way] = "up",
        n_relations: int = 0,
        dropout: float = 0.0,
        sizes: Mapping[str, int] | None = None,
        constants: Mapping[str, float] | None = None,
        backend: BackendName = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        check_options(dropout=dropout, dtype=dtype, sizes=sizes, constants=constants)
        self.cell = as_cell(cell)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.directions = _ways(direction)
        self.n_relations, self.dropout = n_relations, float(dropout)
        self.sizes, self.constants = by_name(sizes or {}), by_name(constants or {})
        self.backend: BackendName = backend
        self._check()
        for number in range(len(self.directions)):
            incoming = hidden_size if number else input_size
            self.add_module(f"layer{number}", self._layer(incoming, device, dtype))
        self._check_ways()
        reason = self._layers[0].refusal()
        if reason:
            name = self.cell.name
            raise BackendError(f"backend={backend!r} cannot serve the cell '{name}': {reason}")
        self.reset_parameters()

    def _check(self) -> None:
        for name in ("input_size", "hidden_size"):
            check_count(name, getattr(self, name))
        check_backend(self.backend, NODES_BACKENDS)
        check_constants(self.cell, self.constants)
        if self.cell.system.structure != "tree":
            raise StructureError(
                f"the cell '{self.cell.name}' is over sequences, but Recursive folds trees"
            )
        check_input(self.cell, "n")
        if self.n_relations != 0:
            check_count("n_relations", self.n_relations)
        if self.cell.system.labels and self.n_relations < 1:
            raise ConfigError(
                f"the cell '{self.cell.name}' chooses a parameter by the label of an edge, "
                "so n_relations must be at least 1"
            )

    def _check_ways(self) -> None:
        if "down" in self.directions and self._layers[0].runs_down:
            raise ConfigError(
                f"the cell '{self.cell.name}' reads [parent], so it runs from the roots down "
                "already: leave direction out"
            )
        slots = self._layers[0].slots
        if "down" in self.directions and slots:
            raise ConfigError(
                f"the cell '{self.cell.name}' reads [{slots[0]}], but direction='down' has no "
                "slots: a node reads its parent, as one of a set. Turn the forest instead: "
                "forest.reversed() keeps slots"
            )

    def _layer(
        self, input_size: int, device: torch.device | str | None, dtype: torch.dtype | None
    ) -> Recursion:
        sizes = resolve_sizes(
            self.cell.system,
            input_size=input_size,
            hidden_size=self.hidden_size,
            sizes=self.sizes,
        )
        values = {**self.cell.constants, **self.constants}
        numbers = Numbers(sizes, values, self.n_relations)
        return Recursion(self.cell, numbers, self.backend, device, dtype)

    @property
    def _layers(self) -> list[Recursion]:
        found = [self._modules[f"layer{n}"] for n in range(len(self.directions))]
        return [layer for layer in found if isinstance(layer, Recursion)]

    def reset_parameters(self) -> None:
        """Draw all parameters anew: as the cell says, else as its equations suggest."""
        for layer in self._layers:
            layer.reset_parameters()

    def forward(self, x: Tensor, forest: Forest) -> tuple[Tensor, Any]:
        """Run the network over a batch of trees. `torch.compile` leaves it as it is.

        Args:
            x: [N, I], a row for each node in the forest's order; or [leaves, I], if only the leaves
                have equations that read it.
            forest: the trees.

        Returns:
            y [N, H], the output at every node; and the last layer's states where its sweep ends,
            at the roots in the order of the trees (at the leaves, if it runs down): a named tuple,
            each [R, ·], the output first.

        Raises:
            ShapeError: x has the wrong shape.
            StructureError: the forest has no slots or labels that the cell reads.
        """
        if torch.compiler.is_compiling():  # how deep trees are is no matter of shapes
            found: tuple[Tensor, Any] = torch.compiler.disable(self._folded)(x, forest)
            return found
        return self._folded(x, forest)

    def _folded(self, x: Tensor, forest: Forest) -> tuple[Tensor, Any]:
        layers = self._layers
        rows = self._checked(x, forest, layers[0])
        state: Any = None
        for number, (layer, way) in enumerate(zip(layers, self.directions, strict=True)):
            if number and self.dropout and self.training:
                rows = nn.functional.dropout(rows, self.dropout)
            rows, ends = layer(rows, _turned(forest) if way == "down" else forest)
            state = state_type(tuple(layer.states))(*ends)
        return rows, state

    def _checked(self, x: Tensor, forest: Forest, first: Recursion) -> Tensor:
        if not isinstance(forest, Forest):
            raise StructureError(f"forest must be a cw.Forest, not {type(forest).__name__}")
        x = as_weights_are(x, first)
        counts = [forest.n_nodes]
        if first.only_leaves_read and self.directions[0] == "up":
            counts.append(len(forest.leaves))
        if x.dim() != 2 or x.shape[1] != self.input_size or x.shape[0] not in counts:
            wanted = " or ".join(f"[{count}, {self.input_size}]" for count in dict.fromkeys(counts))
            raise ShapeError(f"x must have shape {wanted}, but has {list(x.shape)}")
        return x

    def backend_report(self) -> BackendReport:
        """Which back end serves forward, backward, double backward, jvp and vmap, and why."""
        backend, why = self._layers[0].serving()
        return report(backend, why)

    def extra_repr(self) -> str:
        """What print(layer) shows."""
        text = f"{self.cell.name!r}, {self.input_size}, {self.hidden_size}"
        if self.directions != ("up",):
            text += f", direction={self.directions}"
        for name in ("n_relations", "dropout", "sizes", "constants"):
            value = getattr(self, name)
            if value:
                text += f", {name}={value}"
        return text


def _ways(direction: Way | Sequence[Way]) -> tuple[Way, ...]:
    found: tuple[Way, ...]
    if isinstance(direction, Sequence) and not isinstance(direction, str):
        found = tuple(direction)
    else:
        found = (direction,)
    for way in found:
        if way not in ("up", "down"):
            raise ConfigError(f"direction must be 'up' or 'down', not {way!r}")
    if not found:
        raise ConfigError("direction must name at least one layer's, 'up' or 'down'")
    return found


def _turned(forest: Forest) -> Forest:
    """The forest with its edges turned round; kept with it."""
    known: Forest | None = forest.__dict__.get("_turned")
    if known is None:
        known = forest.__dict__["_turned"] = forest.reversed(keep_slots=False)
    return known
