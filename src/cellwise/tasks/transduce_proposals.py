"""Answers that searches in both directions propose, judged by all models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from cellwise.data.batches import in_chunks
from cellwise.data.marked import marked
from cellwise.heads.search import Found, Rules
from cellwise.tasks.attentive_decoder import Reading
from cellwise.tasks.ensemble import BothWays

Proposal = tuple[int, ...]
"""The symbols of an answer without its start and end."""


def judged(
    network: BothWays, reading: Reading, proposed: Sequence[Sequence[Proposal]], rules: Rules
) -> list[list[Found]]:
    """The proposals for each row of what was read, the most probable first.

    Probabilities compare as those of a search do, by `rules`.
    """
    places = [(row, one) for row, those in enumerate(proposed) for one in those]
    scores: list[float] = []
    ranks: list[float] = []
    with torch.no_grad():
        for some in in_chunks(places, max(1, len(proposed))):
            found, ranked = _scored(network, reading, some, rules)
            scores += found
            ranks += ranked
    rows: list[list[tuple[float, Found]]] = [[] for _ in proposed]
    for (row, one), score, rank in zip(places, scores, ranks, strict=True):
        rows[row].append((-math.inf if math.isnan(rank) else rank, Found([*one], score)))
    return [[one for _, one in sorted(row, key=lambda pair: -pair[0])] for row in rows]


def _scored(
    network: BothWays, reading: Reading, some: Sequence[tuple[int, Proposal]], rules: Rules
) -> tuple[list[float], list[float]]:
    """The log probabilities of some proposals, and the same made comparable."""
    device = reading.seen.device
    texts = marked([one for _, one in some]).to(device)
    own = reading.of(torch.tensor([row for row, _ in some], device=device))
    scores = network.log_probabilities(own, *texts)
    return scores.tolist(), rules.normalised(scores, texts.lengths).tolist()
