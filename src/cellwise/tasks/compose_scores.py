"""How right the classes of nodes are: of roots and of all nodes, fine-grained and binary."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from cellwise.errors import DataError
from cellwise.tasks.compose_answers import Scale

NONE = -1
"""Stands for the class of a node that does not count."""

UNKNOWN = -2
"""Stands for a class that the training data did not hold."""

UNKNOWN_NEGATIVE, UNKNOWN_POSITIVE = -3, -4
"""Stand for such classes that are negative or positive: in binary accuracy they count."""


class Scores:
    """Counts right answers, batch by batch."""

    def __init__(self, scale: Scale):
        self._poles = torch.tensor(
            [(name in scale.positive) - (name in scale.negative) for name in scale.classes]
        )
        self._binary = scale.has_poles
        self._right: Counter[str] = Counter()
        self._all: Counter[str] = Counter()

    def add(self, logits: Tensor, classes: Tensor, roots: Tensor) -> None:
        """Count a batch: logits `[N, C]`, right classes `[N]`, the nodes that are roots `[R]`."""
        self._count("", logits.argmax(-1) == classes, classes != NONE, roots)
        if self._binary:
            poles = self._poles.to(logits.device)
            wanted = torch.where(classes >= 0, poles[classes.clamp(min=0)], 0)
            wanted += (classes == UNKNOWN_POSITIVE).long() - (classes == UNKNOWN_NEGATIVE).long()
            positive = logits.softmax(-1) @ poles.to(logits.dtype) >= 0
            self._count("_binary", positive == (wanted > 0), wanted != 0, roots)

    def _count(self, kind: str, right: Tensor, counted: Tensor, roots: Tensor) -> None:
        for where, hits, those in (
            ("root", right[roots], counted[roots]),
            ("nodes", right, counted),
        ):
            self._right[f"accuracy_{where}{kind}"] += int((hits & those).sum())
            self._all[f"accuracy_{where}{kind}"] += int(those.sum())

    def shares(self, *, only_root: bool) -> dict[str, float]:
        """The shares of right answers; those of no nodes at all are left out.

        Raises:
            DataError: no root has a class.
        """
        if not self._all["accuracy_root"]:
            raise DataError("no tree has a label at its root that counts, so nothing can be judged")
        return {
            name: self._right[name] / count
            for name, count in self._all.items()
            if count and not (only_root and name.startswith("accuracy_nodes"))
        }
