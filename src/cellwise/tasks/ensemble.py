"""Several trained encoder-decoders that answer together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import PAD
from cellwise.heads.ensemble import Together, mean_log_probabilities
from cellwise.heads.search import Step
from cellwise.losses.cross_entropy import cross_entropy
from cellwise.tasks.attentive_decoder import AttentiveDecoder, Reading


@dataclass(frozen=True)
class Readings(Reading):
    """What each of several encoders hands over; as one, the states and outputs of all."""

    each: tuple[Reading, ...] = ()

    @classmethod
    def of(cls, each: Sequence[Reading]) -> Readings:
        """The readings of the same sources."""
        state = tuple(part for reading in each for part in reading.state)
        return cls(None, state, torch.cat([reading.seen for reading in each], -1), tuple(each))


class Ensemble(nn.Module):
    """Models of the same vocabularies as one: the mean of their probabilities at every step.

    It answers as one of them does, of `Readings`, and is not trained. The models may differ in
    size, cell and attention.

    Source: Sutskever et al. 2014 (arXiv:1409.3215), section 3.2.
    """

    def __init__(self, members: Sequence[AttentiveDecoder]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def __iter__(self) -> Iterator[AttentiveDecoder]:
        """The models, one after the other."""
        return (cast(AttentiveDecoder, member) for member in self.members)

    def logits(
        self, reading: Reading, symbols: Tensor, symbol_lengths: Tensor | None = None
    ) -> Tensor:
        """Log probabilities `[T, B, V]`, which are logits, too."""
        return mean_log_probabilities(
            [
                torch.log_softmax(member.logits(own, symbols, symbol_lengths), dim=-1)
                for member, own in self._pairs(reading)
            ]
        )

    def nats(self, reading: Reading, before: Tensor, after: Tensor, lengths: Tensor) -> Tensor:
        """The summed loss of symbols `after` those `before`, `[T, B]`, of which `lengths` count."""
        return cross_entropy(self.logits(reading, before, lengths), after, ignore=PAD)

    def attention_weights(self, reading: Reading, symbols: Tensor) -> Tensor | None:
        """The mean of how much those with attention read of each place: `[T, B, S]`."""
        found = [member.attention_weights(own, symbols) for member, own in self._pairs(reading)]
        weights = [one for one in found if one is not None]
        return torch.stack(weights).mean(0) if weights else None

    def stepper(self, reading: Reading) -> Step:
        """All decoders as one, as a search sees it."""
        pairs = list(self._pairs(reading))
        steps = tuple(member.stepper(own) for member, own in pairs)
        return Together(steps, tuple(len(own.state) for _, own in pairs))

    def _pairs(self, reading: Reading) -> Iterator[tuple[AttentiveDecoder, Reading]]:
        assert isinstance(reading, Readings)
        return zip(self, reading.each, strict=True)
