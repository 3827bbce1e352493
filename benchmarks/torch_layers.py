"""torch.nn in the place of our layers: the peer of whatever trains a task.

Both sides start from the same weights and draw the same dropout; torch's second biases stay zero,
since ours has one. Where sequences differ in length torch reads packed ones, for a second direction
must start at each sequence's own end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from cellwise.bench.torch_twin import torch_twin
from cellwise.errors import ConfigError
from cellwise.layers import Recurrent
from cellwise.tasks import Task

SomeTask = TypeVar("SomeTask", bound=Task[Any, Any])


class TorchLayer(nn.Module):
    """torch's module in the place of a `Recurrent`, with its weights and called like it.

    torch packs no sequences without steps: those are read as one step of padding.

    Args:
        layer: what to replace.

    Raises:
        ConfigError: torch has no such cell.
    """

    def __init__(self, layer: Recurrent):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            module = torch_twin(layer)
        if module is None:
            raise ConfigError(f"torch.nn has no {layer.cell.name}")
        self.module = module
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(not name.startswith("bias_hh"))

    def forward(
        self, x: Tensor, state: Sequence[Tensor] | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As `Recurrent.forward` on padded batches [T, B, I]."""
        given = None if state is None else self._given(state)
        if lengths is None:
            y, last = self.module(x, given)
            return y, _tuple(last)
        packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), enforce_sorted=False)
        outputs, last = self.module(packed, given)
        return pad_packed_sequence(outputs, total_length=len(x))[0], _tuple(last)

    def _given(self, state: Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
        whole = tuple(part.contiguous() for part in state)
        return whole if isinstance(self.module, nn.LSTM) else whole[0]


def _tuple(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else state


def replaced(model: nn.Module) -> nn.Module:
    """The model, torch's modules in the places of its recurrent layers."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, Recurrent):
            model.set_submodule(name, TorchLayer(layer))
    return model


def with_torch(task: type[SomeTask]) -> type[SomeTask]:
    """The task with torch's modules in its model, by a name of its own.

    Example:
        >>> from cellwise.tasks import Tag
        >>> with_torch(Tag).name
        'tag_with_torch'
    """
    attributes = {
        "name": f"{task.name}_with_torch",
        "build": lambda self: replaced(task.build(self)),
        "__doc__": f"`{task.name}` with torch's modules in its model.",
    }
    return type(f"{task.__name__}WithTorch", (task,), attributes)
