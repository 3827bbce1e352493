"""An epoch over a treebank as `cellwise train compose` does it, and where its seconds go.

Word vectors looked up, `tree_lstm_binary` over each batch, a softmax at every node, the gradient's
norm limited, a step of AdaGrad for all weights and word vectors.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from cellwise.bench.tables import markdown_table, shown
from cellwise.bench.timing import Spread
from cellwise.data.batches import plan_batches
from cellwise.training.config import load_config
from cellwise.training.optimisers import build_optimiser, gradients

PARTS = ("data", "forward", "backward", "clipping", "optimiser")
HEAD = ("epoch over", "batches", "nodes", *(f"{part} s" for part in PARTS), "all s", "trees/s")
MOST_EPOCHS = 5
EMBEDDING_SIZE = 300


@dataclass(frozen=True)
class Seconds:
    """What an epoch took.

    Attributes:
        title: the trees and sizes.
        n_trees: how many trees.
        n_batches: how many steps.
        n_nodes: in all trees.
        parts: seconds of each of `PARTS`.
        loss: the mean loss of a node, in nats, while training.
    """

    title: str
    n_trees: int
    n_batches: int
    n_nodes: int
    parts: dict[str, float]
    loss: float

    @property
    def all_s(self) -> float:
        """Of the whole epoch."""
        return sum(self.parts.values())


class Epoch:
    """A model in training, an epoch a call.

    Args:
        treebank: trees in brackets with a label at every node.
        hidden_size: H.
        threads: how many compute.
        embedding_size: I.
        batch_size: trees in a batch.
    """

    def __init__(
        self,
        treebank: Path,
        hidden_size: int,
        threads: int,
        embedding_size: int = EMBEDDING_SIZE,
        batch_size: int = 25,
    ):
        torch.set_num_threads(threads)
        overrides = [
            f"data.train={treebank}",
            f"model.hidden_size={hidden_size}",
            f"model.embedding_size={embedding_size}",
            f"training.batch_size={batch_size}",
        ]
        config = load_config("compose", overrides)
        self.task, self.training = config.make_task(), config.training
        self.trees = self.task.read_file(treebank)
        self.task.fit(self.trees)
        torch.manual_seed(1)
        self.model: nn.Module = self.task.build()
        self.optimiser = build_optimiser(self.model, self.training)
        self.title = f"{len(self.trees)} trees, I={embedding_size} H={hidden_size} B={batch_size}"
        self._done = 0
        self._step(self.trees[:2], _Clock())

    def run(self) -> Seconds:
        """One epoch."""
        self.model.train()
        self._done += 1
        sizes = [self.task.size(tree) for tree in self.trees]
        clock, loss, n_units = _Clock(), 0.0, 0
        plan = plan_batches(sizes, self.training.batch_size, seed=1, epoch=self._done)
        clock.take("data")
        for places in plan:
            nats, units = self._step([self.trees[place] for place in places], clock)
            loss, n_units = loss + nats, n_units + units
        mean = loss / max(1, n_units)
        return Seconds(self.title, len(self.trees), len(plan), sum(sizes), clock.spent, mean)

    def _step(self, trees: Sequence[object], clock: _Clock) -> tuple[float, int]:
        batch = self.task.collate(trees)
        clock.take("data")
        self.optimiser.zero_grad(set_to_none=True)
        loss, units = self.task.loss(self.model, batch)
        nats = float(loss.detach())
        clock.take("forward")
        (loss / max(1, units)).backward()
        clock.take("backward")
        self._clip()
        clock.take("clipping")
        self.optimiser.step()
        clock.take("optimiser")
        return nats, units

    def _clip(self) -> None:
        found = gradients(self.model)
        norm = float(nn.utils.get_total_norm(found))
        if norm > self.training.clip_norm:
            torch._foreach_mul_(found, self.training.clip_norm / (norm + 1e-6))


class _Clock:
    """Adds up the seconds since the last reading, part by part."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(PARTS, 0.0)
        self._last = time.perf_counter()

    def take(self, part: str) -> None:
        now = time.perf_counter()
        self.spent[part] += now - self._last
        self._last = now


def table(found: Sequence[Seconds]) -> str:
    """The medians over several epochs."""
    one = found[0]
    wholes = [epoch.all_s for epoch in found]
    row = (
        one.title,
        str(one.n_batches),
        f"{one.n_nodes:,}",
        *(shown(Spread.of([epoch.parts[part] for epoch in found])) for part in PARTS),
        shown(Spread.of(wholes)),
        f"{one.n_trees / Spread.of(wholes).median:.0f}",
    )
    return markdown_table(HEAD, [row])
