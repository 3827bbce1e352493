"""Mixed precision: products in 16 bits, weights and sums in 32."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, optim

from cellwise.errors import ConfigError
from cellwise.training.settings import PrecisionName

_SMALLEST_SCALE = 2.0**-14
"""A loss scaled down so far is below what float16 can tell from zero."""


class Precision:
    """How exactly the loss and its gradient are computed; weights and their updates are float32.

    So are recurrent layers, whose kernels have no 16 bits.

    In float16, gradients below 6e-8 would be lost, so the loss is scaled up before the backward
    pass; where that overflows, the step is left out and the scale halved.

    Source: Micikevicius et al. 2018, "Mixed precision training", section 3 (arXiv:1710.03740).

    Args:
        name: as in `training.precision`.
        device: where the model is.

    Raises:
        ConfigError: the device does not compute in float16.
    """

    def __init__(self, name: PrecisionName, device: torch.device):
        if name == "float16" and device.type != "cuda":
            raise ConfigError(
                f"training.precision = \"float16\" is for CUDA devices; on '{device.type}' nothing "
                'is gained by it, and its range is small. Write "bfloat16" or "float32"'
            )
        self._device, self._dtype = device.type, getattr(torch, name)
        self._scaler = torch.amp.GradScaler(device.type) if name == "float16" else None

    def context(self) -> contextlib.AbstractContextManager[Any]:
        """Within it, products are computed in the chosen precision."""
        if self._dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self._device, dtype=self._dtype)

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss to go back from."""
        return loss if self._scaler is None else self._scaler.scale(loss)

    def unscale(self, optimiser: optim.Optimizer) -> None:
        """Take the scale out of the gradients again."""
        if self._scaler is not None:
            self._scaler.unscale_(optimiser)

    @property
    def may_overflow(self) -> bool:
        """Whether an infinite gradient means a step to leave out, and no more."""
        return self._scaler is not None and self._scaler.get_scale() > _SMALLEST_SCALE

    def step(self, optimiser: optim.Optimizer) -> None:
        """One step of the optimiser, unless a gradient overflowed."""
        if self._scaler is None:
            optimiser.step()
        else:
            self._scaler.step(optimiser)
            self._scaler.update()

    def record(self) -> dict[str, Any]:
        """The scale and its history as JSON values; nothing but for float16."""
        return {} if self._scaler is None else self._scaler.state_dict()

    def restore(self, record: Mapping[str, Any]) -> None:
        """Take over what `record` gave, if it was of float16."""
        if self._scaler is not None and record:
            self._scaler.load_state_dict(dict(record))
