"""Taking the whole state of a training, and putting it back: a resumed run is the same run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cellwise.errors import ConfigError, DataError
from cellwise.tasks.base import Task
from cellwise.training.averaging import Average
from cellwise.training.checkpoints import Checkpoint, load_weights
from cellwise.training.descent import Descent
from cellwise.training.fingerprint import Fingerprint
from cellwise.training.optimisers import optimiser_tensors, restore_optimiser
from cellwise.training.position import Position
from cellwise.training.processes import Processes


@dataclass(frozen=True)
class Moving:
    """What changes while training goes on, apart from the position.

    The model and the optimiser are the same in all processes that train together. The random
    numbers and what a task carries from batch to batch are each process's own: the groups
    `random` and `carried` of a checkpoint are the first one's, `random@1` the second one's.
    """

    descent: Descent
    average: Average

    @property
    def task(self) -> Task[Any, Any]:
        """The task, which may carry something from batch to batch."""
        return self.descent.task

    @property
    def processes(self) -> Processes:
        """This process among those that train together."""
        return self.descent.processes

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.processes.device

    def snapshot(self, position: Position, *, data: Fingerprint) -> Checkpoint:
        """All that is needed to go on from here, with the fingerprint of the data.

        All processes have to call it.
        """
        random = self.processes.gather(self._random_state())
        carried = self.processes.gather(self.task.carried())
        state = {
            "position": position.record(),
            "data": data,
            "processes": self.processes.count,
            "precision": self.descent.precision.record(),
            "averaging": self.average.kind,
        }
        return Checkpoint(
            state,
            {
                "model": dict(self.descent.model.state_dict()),
                "optimiser": optimiser_tensors(self.descent.optimiser, self.descent.model),
                "average": self.average.tensors(),
                **{_own("random", rank): tensors for rank, tensors in enumerate(random)},
                **{_own("carried", rank): tensors for rank, tensors in enumerate(carried)},
            },
        )

    def restore(self, checkpoint: Checkpoint, *, source: str) -> Position:
        """Put everything back as it was; where training stood.

        Raises:
            DataError: the checkpoint does not fit the model.
            ConfigError: another number of processes wrote it.
        """
        self._check_processes(checkpoint.state)
        model, average = (checkpoint.tensors.get(name, {}) for name in ("model", "average"))
        load_weights(self.descent.model, model, source=source)
        kind = checkpoint.state.get("averaging", self.average.kind)  # earlier versions noted none
        if kind == self.average.kind:
            self.average.restore(average, source=source)
        try:
            optimised = checkpoint.tensors.get("optimiser", {})
            restore_optimiser(self.descent.optimiser, self.descent.model, optimised)
            self.descent.precision.restore(checkpoint.state.get("precision", {}))
            self._restore_random(checkpoint.tensors[_own("random", self.processes.rank)])
            carried = checkpoint.tensors.get(_own("carried", self.processes.rank), {})
            self.task.carry({name: kept.to(self.device) for name, kept in carried.items()})
            return Position.of(checkpoint.state["position"])
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise DataError(f"{source} is damaged: its parts are not a checkpoint's") from error

    def _check_processes(self, state: Mapping[str, Any]) -> None:
        before, now = state.get("processes", 1), self.processes.count
        if before != now:
            raise ConfigError(
                f"the run was trained by {before} processes together, and now there are {now}; "
                f"go on with {before} (training.processes = {before}), or start a new run"
            )

    def _restore_random(self, random: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(random["cpu"])
        if self.device.type == "cuda" and "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"], self.device)

    def _random_state(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states


def _own(group: str, rank: int) -> str:
    """The name of a group of tensors that each process has its own of."""
    return f"{group}@{rank}" if rank else group
