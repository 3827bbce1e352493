"""A few steps of training, for tests of tasks: no schedule, no checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from cellwise.data.batches import plan_batches
from cellwise.tasks.base import Task


def trained(
    task: Task[Any, Any], examples: Sequence[Any], *, epochs: int, rate: float = 0.01
) -> nn.Module:
    """A model of `task`, fitted to `examples` with Adam."""
    torch.manual_seed(0)
    task.fit(examples)
    model = task.build()
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    sizes = [task.size(example) for example in examples]
    for epoch in range(epochs):
        for rows in plan_batches(sizes, 32, seed=0, epoch=epoch):
            loss, n_units = task.loss(model, task.collate([examples[i] for i in rows]))
            optimiser.zero_grad()
            (loss / n_units).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
    return model.eval()
