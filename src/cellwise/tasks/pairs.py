"""Pairs of texts: what a task learns from that turns one sequence into another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Self

import torch
from torch import Tensor

from cellwise.data.spooled import Form

Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")


@dataclass(frozen=True)
class Pair:
    """A source text and the target texts that are right: one in training, all in evaluation.

    `alone` is set where it is a line of two files, which is judged by its own target even where
    another line has the same source.
    """

    source: str
    targets: tuple[str, ...]
    alone: bool = field(default=False, repr=False, compare=False, kw_only=True)

    def texts(self, side: Side) -> tuple[str, ...]:
        """The texts of a side."""
        return (self.source,) if side == "source" else self.targets


PAIR: Form[Pair] = Form(
    lambda pair: [pair.source, pair.targets, pair.alone],
    lambda found: Pair(found[0], tuple(found[1]), alone=found[2]),
)
"""A pair as JSON values."""


@dataclass(frozen=True)
class PairBatch:
    """Pairs as tensors: source `[S, B]`, lengths `[B]`, before and after `[T, B]`.

    `before` is the target after a start mark, `after` the target before an end mark. Of either,
    `target_lengths` `[B]` steps are real, and `n_units` symbols in all. A task that needs more than
    this adds fields of tensors.
    """

    source: Tensor
    lengths: Tensor
    before: Tensor
    after: Tensor
    target_lengths: Tensor
    n_units: int

    def to(self, device: torch.device) -> Self:
        """The same batch on a device."""
        held: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any]
        moved = {name: part.to(device) for name, part in held.items() if isinstance(part, Tensor)}
        return replace(self, **moved)


def merged(pairs: Sequence[Pair]) -> list[Pair]:
    """Each source once, with all its targets, in the order of first occurrence; but for lines."""
    targets: dict[tuple[str, int], dict[str, None]] = {}
    for place, pair in enumerate(pairs):
        key = (pair.source, place if pair.alone else -1)
        targets.setdefault(key, {}).update(dict.fromkeys(pair.targets))
    return [Pair(key[0], tuple(rights), alone=key[1] >= 0) for key, rights in targets.items()]
