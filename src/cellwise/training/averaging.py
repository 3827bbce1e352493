"""Averages of the weights over the course of training, which are often better than the last."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cellwise.training.checkpoints import load_weights
from cellwise.training.position import Position
from cellwise.training.settings import TrainingConfig


class Average:
    """The averaged weights of a model: exponential after steps, or plain at the ends of epochs.

    The average, once it has begun, is what is evaluated and saved; training goes on from the
    weights themselves. Buffers are the model's own.

    Source: `stochastic` is Izmailov et al. 2018, "Averaging weights leads to wider optima and
    better generalization", algorithm 1 (arXiv:1803.05407), without its cyclic learning rate;
    `exponential` is Polyak and Juditsky's average with a window, as in Vaswani et al. 2017's code.

    Args:
        model: the model in training, on its device.
        config: the `averaging` keys of it.
        total: the steps of the whole training.
    """

    def __init__(self, model: nn.Module, config: TrainingConfig, total: int):
        self._model, self._config, self._total = model, config, total
        self._averaged: AveragedModel | None = None
        if config.averaging == "stochastic":
            self._averaged = AveragedModel(model)
        elif config.averaging == "exponential":
            decay = get_ema_multi_avg_fn(config.averaging_decay)
            self._averaged = AveragedModel(model, multi_avg_fn=decay)

    @property
    def kind(self) -> str:
        """Which average it is, as `averaging` has it: another one begins anew."""
        return self._config.averaging

    @property
    def model(self) -> nn.Module:
        """The model to evaluate and save."""
        if self._averaged is None or not self._averaged.n_averaged:
            return self._model
        return self._averaged.module

    def update(self, at: Position, *, epoch_over: bool) -> None:
        """Told after each step, before the position's epoch is closed."""
        config, averaged = self._config, self._averaged
        if averaged is None:
            return
        begun = bool(averaged.n_averaged)  # also where more epochs have put off the start since
        if config.averaging == "stochastic":
            begins = at.epoch + 1 > config.averaging_start * config.epochs
            ready = epoch_over and (begun or begins)
        else:
            ready = begun or at.step > config.averaging_start * self._total
        if ready:
            averaged.update_parameters(self._model)

    def tensors(self) -> dict[str, Tensor]:
        """The average and how many weights are in it, for a checkpoint; nothing without one."""
        return {} if self._averaged is None else dict(self._averaged.state_dict())

    def restore(self, tensors: Mapping[str, Tensor], *, source: str) -> None:
        """Take over what `tensors` gave; without any, the average begins anew.

        Raises:
            DataError: they are of another model.
        """
        if self._averaged is not None and tensors:
            load_weights(self._averaged, tensors, source=source)
