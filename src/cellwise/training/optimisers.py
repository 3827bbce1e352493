"""Optimisers by name, and their state as plain tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn, optim

from cellwise.training.settings import TrainingConfig


def build_optimiser(
    model: nn.Module, config: TrainingConfig, *, alone: bool = True
) -> optim.Optimizer:
    """The optimiser of a configuration; weight decay is for matrices, not for biases and gains.

    AdaGrad leaves what has no gradient as it is. So its tables of vectors get no more of a gradient
    than the rows that a batch looks up, where `alone` says that no other process adds to it.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    tables = _tables(model) if config.optimizer == "adagrad" and not config.weight_decay else []
    for table in tables:
        table.sparse = alone
    rows = {id(table.weight) for table in tables}
    others = [p for p in parameters if id(p) not in rows]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
        {"params": [t.weight for t in tables], "weight_decay": 0.0, "fused": False},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "sgd":
        return optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, fused=True)
    if config.optimizer == "adagrad":
        fused = all(p.device.type == "cpu" for p in parameters)  # torch has it on CPUs only
        return optim.Adagrad(groups, lr=config.learning_rate, fused=fused)
    kind = optim.AdamW if config.optimizer == "adamw" else optim.Adam
    return kind(groups, lr=config.learning_rate, fused=True)


def _tables(model: nn.Module) -> list[nn.Embedding]:
    """The tables of vectors that are learnt and that no other module shares."""
    owners = Counter(id(p) for m in model.modules() for p in m.parameters(recurse=False))
    found = [m for m in model.modules() if isinstance(m, nn.Embedding)]
    found = [t for t in found if t.weight.requires_grad and owners[id(t.weight)] == 1]
    if found:
        torch.sparse.check_sparse_tensor_invariants.disable()
    return found


def gradients(model: nn.Module) -> list[Tensor]:
    """The numbers of all gradients, of tables those of the rows that have one; may be changed."""
    found = []
    for parameter in model.parameters():
        gradient = parameter.grad
        if gradient is not None and gradient.is_sparse:
            parameter.grad = gradient.coalesce()
            gradient = parameter.grad.values()
        if gradient is not None:
            found.append(gradient)
    return found


def set_rate(optimiser: optim.Optimizer, rate: float) -> None:
    """Use `rate` for all parameters from the next step on."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def optimiser_tensors(optimiser: optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The state as tensors, keyed "quantity.parameter"; settings are not part of it.

    How torch numbers parameters depends on settings that may change when a run goes on.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        f"{quantity}.{names[id(parameter)]}": value
        for parameter, state in optimiser.state.items()
        for quantity, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(
    optimiser: optim.Optimizer, model: nn.Module, tensors: Mapping[str, Tensor]
) -> None:
    """Take over what `optimiser_tensors` gave, now or, by torch's numbers, in earlier versions.

    These numbers are right as long as no setting that they depend on has changed.

    Raises:
        IndexError, KeyError: a parameter is not the model's.
        ValueError: a parameter has another shape.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    number_of = {id(parameter): number for number, parameter in enumerate(parameters)}
    named = {name: number_of.get(id(p), -1) for name, p in model.named_parameters()}
    fresh = optimiser.state_dict()["state"]  # AdaGrad's; what the tensors lack stays so
    states: dict[int, dict[str, Any]] = {number: {**state} for number, state in fresh.items()}
    for key, value in tensors.items():
        first, rest = key.split(".", 1)
        number, quantity = (int(first), rest) if first.isdecimal() else (named[rest], first)
        if number < 0:
            continue  # it is not learnt any more
        if value.dim() and value.shape != parameters[number].shape:
            raise ValueError(f"the optimiser's '{key}' has another shape than its parameter")
        states.setdefault(number, {})[quantity] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})
