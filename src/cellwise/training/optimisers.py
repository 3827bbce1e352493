"""Optimisers by name, and their state as plain tensors."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn, optim

from cellwise.training.settings import TrainingConfig


def build_optimiser(model: nn.Module, config: TrainingConfig) -> optim.Optimizer:
    """The optimiser of a configuration; weight decay is for matrices, not for biases and gains."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "sgd":
        return optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, fused=True)
    kind = optim.AdamW if config.optimizer == "adamw" else optim.Adam
    return kind(groups, lr=config.learning_rate, fused=True)


def set_rate(optimiser: optim.Optimizer, rate: float) -> None:
    """Use `rate` for all parameters from the next step on."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def optimiser_tensors(optimiser: optim.Optimizer) -> dict[str, Tensor]:
    """The state as tensors, keyed "parameter number.quantity"; settings are not part of it."""
    states = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": value
        for number, state in states.items()
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(optimiser: optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Take over what `optimiser_tensors` gave."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        states.setdefault(int(number), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})
