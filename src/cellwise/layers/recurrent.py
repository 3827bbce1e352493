"""`Recurrent`: a cell folded over sequences, as a torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cellwise.backends import BACKENDS
from cellwise.cell import Cell, by_name
from cellwise.errors import BackendError, ConfigError, ShapeError, StructureError
from cellwise.layers.arguments import (
    as_cell,
    as_weights_are,
    check_backend,
    check_constants,
    check_count,
    check_flag,
    check_input,
    check_options,
)
from cellwise.layers.direction import Direction, Serving
from cellwise.layers.forms import Form, Sequences, take_apart
from cellwise.layers.from_torch import translate
from cellwise.layers.noise import with_zoneout
from cellwise.layers.report import BackendReport, report
from cellwise.layers.sizes import resolve_sizes
from cellwise.layers.states import check_state, listed_states, state_type
from cellwise.layers.stepper import Stepper
from cellwise.passes.saved import Memory
from cellwise.structures.plain import is_eager

BackendName = Literal["auto", "cpu", "reference"]


_USUAL: Mapping[str, object] = {
    "num_layers": 1,
    **dict.fromkeys(("bidirectional", "dropout", "batch_first", "sizes", "constants")),
    **dict.fromkeys(("zoneout", "weight_dropout"), 0.0),
    "backend": "auto",
    "memory": "fast",
}
"""What `print(layer)` tells where it is another value."""


class Recurrent(nn.Module):
    """A recurrent network: a cell folded over sequences, in layers and directions.

    Used like `torch.nn.LSTM`, with any cell. Weights carry the names of the equations:
    `layer0.W_z`, `layer0.reverse.W_z`.

    Args:
        cell: a `Cell`, the name of one in the zoo, or the text of its equations.
        input_size: I, the size of the input vectors.
        hidden_size: H, the size of the cell's output.
        num_layers: how many layers, each reading the outputs of the one before.
        bidirectional: a second cell reads each sequence from its end; outputs are joined, [·, 2 H].
        dropout: the share of a layer's outputs that is set to zero on the way to the next layer
            while training, the same ones at every step of a sequence (Gal and Ghahramani 2016).
        zoneout: the probability that a unit of a state keeps, in training, the value of the step
            before (Krueger et al. 2017); for all states, or by name: `{"c": 0.5, "h": 0.05}`.
        weight_dropout: the share of the recurrent weights that is zero for a training call, over
            all its steps (Wan et al. 2013, Merity et al. 2018, arXiv:1708.02182, section 2).
        batch_first: x and y are [B, T, ·] rather than [T, B, ·].
        sizes: sizes of further signals, by name: `{"m": 64}`. What nothing determines is
            `hidden_size`.
        constants: other values for the cell's constants.
        backend: "cpu" (compiled kernels), "reference" (plain torch), or "auto", which takes the
            first that can serve the call; `backend_report()` says which that is, and why.
        memory: "fast" keeps for the backward pass all that it reads; "lean" keeps the states alone
            and computes the rest again, which takes the forward's products a second time.
        device: where the parameters live.
        dtype: of the parameters.

    Raises:
        EquationError: the text is not a cell, or the cell has no input or more than one.
        ShapeError: the sizes contradict the equations.
        ConfigError: an argument is not accepted.
        BackendError: the back end that was asked for cannot serve the cell.

    Example:
        >>> import torch, cellwise as cw
        >>> layer = cw.Recurrent("h[t] = tanh(U @ x[t] + W @ h[t-1] + b)", 3, 5)
        >>> y, state = layer(torch.zeros(7, 2, 3), lengths=torch.tensor([7, 4]))
        >>> y.shape, state.h.shape
        (torch.Size([7, 2, 5]), torch.Size([1, 2, 5]))
    """

    def __init__(  # noqa: PLR0913 - the arguments of torch.nn.LSTM and a few
        self,
        cell: Cell | str,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        zoneout: float | Mapping[str, float] = 0.0,
        weight_dropout: float = 0.0,
        batch_first: bool = False,
        sizes: Mapping[str, int] | None = None,
        constants: Mapping[str, float] | None = None,
        backend: BackendName = "auto",
        memory: Memory = "fast",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        check_options(dropout=dropout, dtype=dtype, sizes=sizes, constants=constants)
        self.cell, noise = with_zoneout(as_cell(cell), zoneout, weight_dropout)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bidirectional = num_layers, bidirectional
        self.dropout, self.batch_first = float(dropout), batch_first
        self.sizes, self.constants = by_name(sizes or {}), by_name(constants or {})
        self.zoneout, self.weight_dropout = zoneout, weight_dropout
        self.backend: BackendName = backend
        self.memory: Memory = memory
        self._check()
        for layer in range(num_layers):
            incoming = input_size if layer == 0 else hidden_size * self.num_directions
            self.add_module(f"layer{layer}", self._layer(layer, incoming, device, dtype))
        for direction in self._directions:
            direction.disturb(noise)
        self._check_states()
        self._check_backend()
        self.reset_parameters()

    def _check_states(self) -> None:
        """The states of all layers are handed out as one tensor, so they have the same sizes."""
        first = self._directions[0].state_sizes
        for layer, direction in enumerate(self._directions[:: self.num_directions]):
            for name, size in direction.state_sizes.items():
                if size != first[name]:
                    raise ShapeError(
                        f"the state '{name}' is as long as the layer's input: {first[name]} in "
                        f"layer 0, but {size} in layer {layer}; in a stack it must have one size"
                    )

    def _check_backend(self) -> None:
        """A back end that was asked for by name, and cannot serve, says so at once."""
        reason = self._directions[0].refusal()
        if reason:
            cell = self.cell.name
            raise BackendError(f"backend={self.backend!r} cannot serve the cell '{cell}': {reason}")

    def _layer(
        self,
        layer: int,
        input_size: int,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> Direction:
        try:
            sizes = resolve_sizes(
                self.cell.system,
                input_size=input_size,
                hidden_size=self.hidden_size,
                sizes=self.sizes,
            )
        except ShapeError as error:
            if layer == 0:
                raise
            cause = f"layer {layer}, which reads {input_size} values of the layer before: "
            raise ShapeError(cause + error.cause, span=error.span, hint=error.hint) from None
        values = {**self.cell.constants, **self.constants}
        serving = Serving(self.backend, self.memory)
        module = Direction(self.cell, sizes, values, serving, device, dtype)
        if self.bidirectional:
            module.add_module(
                "reverse", Direction(self.cell, sizes, values, serving, device, dtype)
            )
        return module

    def _check(self) -> None:
        for name in ("input_size", "hidden_size", "num_layers"):
            check_count(name, getattr(self, name))
        for name in ("bidirectional", "batch_first"):
            check_flag(name, getattr(self, name))
        check_backend(self.backend, BACKENDS)
        if self.memory not in ("fast", "lean"):
            raise ConfigError(f"memory must be 'fast' or 'lean', not {self.memory!r}")
        check_constants(self.cell, self.constants)
        _check_inputs(self.cell)

    @property
    def num_directions(self) -> int:
        """1, or 2 if bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def _directions(self) -> list[Direction]:
        """All directions of all layers, as the states' first dimension has them."""
        found = []
        for layer in range(self.num_layers):
            forward = self._modules[f"layer{layer}"]
            assert isinstance(forward, Direction)
            found.append(forward)
            if self.bidirectional:
                backward = forward._modules["reverse"]
                assert isinstance(backward, Direction)
                found.append(backward)
        return found

    def reset_parameters(self) -> None:
        """Draw all parameters anew: as the cell says, else as its equations suggest."""
        for direction in self._directions:
            direction.reset_parameters()

    def forward(
        self,
        x: Sequences,
        state: Sequence[Tensor] | Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Sequences, Any]:
        """Run the network over a batch of sequences.

        Args:
            x: [T, B, I], or [B, T, I] with `batch_first`, or [T, I], or a PackedSequence, or a
                jagged nested tensor [B, *, I].
            state: the states before the first step, as a call returns them; None: zeros, or
                learned.
            lengths: int64 [B], the steps of each sequence, from 0 to T; None: all T. What lies
                beyond is never read.

        Returns:
            y in the form of x, with H (bidirectional: 2 H) features, zeros beyond the lengths; and
            the last states, a named tuple, each [num_layers · directions, B, ·], the output first.

        Raises:
            ShapeError: x or a state has the wrong shape.
            StructureError: the lengths are none.
        """
        if lengths is None and state is None and is_eager():
            found = self._padded(x)
            if found is not None:
                return found
        form = take_apart(x, lengths, input_size=self.input_size, batch_first=self.batch_first)
        directions, levels = self._directions, form.levels
        rows = as_weights_are(form.rows, directions[0])
        states = self._take_states(directions, state, form, rows)
        last: list[list[Tensor]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                rows = rows * self._mask(rows, form)
            outputs = []
            for way in range(self.num_directions):
                at = layer * self.num_directions + way
                source = levels.reversed(rows) if way else rows
                y, ends = directions[at](source, states[at], levels)
                outputs.append(levels.reversed(y) if way else y)
                last.append(ends)
            rows = torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0]
        names = tuple(directions[0].state_sizes)
        return form.restore(rows), _joined_states(names, last, form)

    def _padded(self, x: Sequences) -> tuple[Tensor, Any] | None:
        """The call that is most usual, x [T, B, I] and no more, in few steps, if they can do it.

        After a kernel nothing of Python's is in the caches, and each step takes long.
        """
        if type(x) is not Tensor or x.dim() != 3 or x.shape[2] != self.input_size:
            return None
        if self.bidirectional or self.batch_first:
            return None
        if self.num_layers > 1 and self.dropout and self.training:
            return None
        last: list[list[Tensor]] = []
        rows, directions = x, self._directions
        for direction in directions:
            found = direction.padded(rows)
            if found is None:
                return None
            rows, ends = found
            last.append(ends)
        whole = last[0] if len(last) == 1 else [torch.cat(ends) for ends in zip(*last, strict=True)]
        return rows, state_type(tuple(directions[0].state_sizes))(*whole)

    def _mask(self, rows: Tensor, form: Form) -> Tensor:
        """One mask a sequence, the same at every step: [R, ·]."""
        kept = rows.new_empty(form.levels.n_sequences, rows.shape[-1])
        kept = kept.bernoulli_(1 - self.dropout) / (1 - self.dropout)
        return kept[form.levels.place]

    def _take_states(
        self,
        directions: Sequence[Direction],
        state: Sequence[Tensor] | Tensor | None,
        form: Form,
        rows: Tensor,
    ) -> list[list[Tensor]]:
        """For every direction its initial states [B, ·], in the order of the places."""
        n_sequences = form.levels.n_sequences
        if state is None:
            return [d.initial(rows, n_sequences) for d in directions]
        given = [state] if isinstance(state, Tensor) else listed_states(state)
        names = list(directions[0].state_sizes)
        if len(given) != len(names):
            raise ShapeError(
                f"state must hold {len(names)} tensors ({', '.join(names)}), but holds {len(given)}"
            )
        whole = [self._checked_state(n, s, form) for n, s in zip(names, given, strict=True)]
        return [
            [form.levels.sorted(s[at].to(rows.dtype)) for s in whole]
            for at in range(len(directions))
        ]

    def _checked_state(self, name: str, state: Tensor, form: Form) -> Tensor:
        check_state(name, state)
        size = self._directions[0].state_sizes[name]
        wanted = [len(self._directions), form.levels.n_sequences, size]
        if form.unbatched:
            del wanted[1]
        if list(state.shape) != wanted:
            raise ShapeError(f"state.{name} must have shape {wanted}, but has {list(state.shape)}")
        return state.unsqueeze(1) if form.unbatched else state

    def backend_report(self) -> BackendReport:
        """Which back end serves forward, backward, double backward, jvp and vmap, and why."""
        backend, why = self._directions[0].serving()
        return report(backend, why)

    def stepper(
        self, batch_size: int | None = None, state: Sequence[Tensor] | Tensor | None = None
    ) -> Stepper:
        """The same network, one step at a time: `step = layer.stepper(); y = step(x)`.

        Args:
            batch_size: B, for x [B, I] and y [B, H]; None: x [I] and y [H].
            state: the states before the first step, as a call returns them; None: zeros, or
                learned.

        Raises:
            StructureError: the network is bidirectional.
            ShapeError: a state has the wrong shape.
        """
        if self.bidirectional:
            raise StructureError(
                "a bidirectional network has no stepper: its second direction begins at the end "
                "of the sequence, which a stream has not reached"
            )
        step = Stepper(self._directions, batch_size=batch_size)
        if state is not None:
            step.state = state
        return step

    @classmethod
    def from_torch(cls, module: nn.LSTM | nn.GRU | nn.RNN) -> Recurrent:
        """The same network as a torch module, with its weights: layers, directions, projections.

        Outputs and gradients equal torch's up to rounding. torch's two biases become one where they
        are only ever added. Dropout is taken over as a number; torch draws a mask at every step, we
        one a sequence.

        Raises:
            ConfigError: the module is none of the three.
        """
        found = translate(module)
        layer = cls(found.cell, found.input_size, found.hidden_size, **found.options)
        with torch.no_grad():
            for direction, weights in zip(layer._directions, found.weights, strict=True):
                for name, value in weights.items():
                    direction.weight(name).copy_(value)
        return layer.train(module.training)

    def extra_repr(self) -> str:
        """What print(layer) shows."""
        text = f"{self.cell.name!r}, {self.input_size}, {self.hidden_size}"
        for name, usual in _USUAL.items():
            value = getattr(self, name, usual)
            if value and value != usual:
                text += f", {name}={value!r}"
        return text


def _joined_states(names: tuple[str, ...], last: Sequence[Sequence[Tensor]], form: Form) -> Any:
    """The last states as they are handed out, from those of each direction in the places' order."""
    whole = []
    for k in range(len(names)):
        ends = [form.levels.restored(ends[k]) for ends in last]
        whole.append(torch.stack([end[0] for end in ends] if form.unbatched else ends))
    return state_type(names)(*whole)


def _check_inputs(cell: Cell) -> None:
    """A layer feeds one input; every other name that is only read is one that nobody feeds."""
    if cell.system.structure == "tree":
        raise StructureError(f"the cell '{cell.name}' is over trees, but Recurrent folds sequences")
    if cell.system.reverse or cell.system.given:
        raise StructureError(f"the cell '{cell.name}' is a derived one; Recurrent folds forward")
    check_input(cell, "t")
