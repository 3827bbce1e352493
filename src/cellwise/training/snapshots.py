"""Taking the whole state of a training, and putting it back: a resumed run is the same run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim

from cellwise.errors import DataError
from cellwise.training.checkpoints import Checkpoint, load_weights
from cellwise.training.fingerprint import Fingerprint
from cellwise.training.optimisers import optimiser_tensors, restore_optimiser
from cellwise.training.position import Position


@dataclass(frozen=True)
class Moving:
    """What changes while training goes on, apart from the position."""

    model: nn.Module
    optimiser: optim.Optimizer
    device: torch.device

    def snapshot(self, position: Position, *, data: Fingerprint) -> Checkpoint:
        """All that is needed to go on from here, with the fingerprint of the data."""
        return Checkpoint(
            {"position": position.record(), "data": data},
            {
                "model": dict(self.model.state_dict()),
                "optimiser": optimiser_tensors(self.optimiser),
                "random": self._random_state(),
            },
        )

    def restore(self, checkpoint: Checkpoint, *, source: str) -> Position:
        """Put everything back as it was; where training stood.

        Raises:
            DataError: the checkpoint does not fit the model.
        """
        load_weights(self.model, checkpoint.tensors.get("model", {}), source=source)
        try:
            restore_optimiser(self.optimiser, checkpoint.tensors.get("optimiser", {}))
            self._restore_random(checkpoint.tensors["random"])
            return Position.of(checkpoint.state["position"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{source} is damaged: its parts are not a checkpoint's") from error

    def _restore_random(self, random: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(random["cpu"])
        if self.device.type == "cuda" and "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"], self.device)

    def _random_state(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states
