"""What a recurrent layer hands on: the sizes of it, and its last outputs."""

from __future__ import annotations

import torch
from torch import Tensor

from cellwise.layers import Recurrent


def sizes_of(layer: Recurrent, input_size: int) -> tuple[int, tuple[int, ...]]:
    """The size of a layer's output, and those of its states, if any, found by one step."""
    with torch.no_grad():
        output, state = layer(torch.zeros((1, 1, input_size)))
    return output.shape[-1], tuple(part.shape[-1] for part in state)


def last_outputs(outputs: Tensor, lengths: Tensor, *, bidirectional: bool = True) -> Tensor:
    """What a layer says having read all: of `[T, B, F]` the `[B, F]`.

    The forward direction, the first half of F, ends at the last step, the backward one at the
    first. Outputs of a sequence without steps are zeros.

    Args:
        outputs: `[T, B, F]`, zeros where a sequence is over.
        lengths: int64 `[B]`.
        bidirectional: whether the second half of F is read from the end.
    """
    if not len(outputs):
        return outputs.new_zeros(outputs.shape[1:])
    rows = torch.arange(len(lengths), device=outputs.device)
    ends = (lengths - 1).clamp(min=0)
    if not bidirectional:
        return outputs[ends, rows]
    forward, backward = outputs.chunk(2, dim=-1)
    return torch.cat([forward[ends, rows], backward[0]], dim=-1)
