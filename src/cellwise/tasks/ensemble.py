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
from cellwise.tasks.attentive_decoder import AttentiveDecoder, Reading, of_texts, without_specials


@dataclass(frozen=True)
class Readings(Reading):
    """What each of several encoders hands over; as one, the states and outputs of all."""

    each: tuple[Reading, ...] = ()

    @classmethod
    def together(cls, each: Sequence[Reading]) -> Readings:
        """The readings of the same sources."""
        state = tuple(part for reading in each for part in reading.state)
        return cls(None, state, torch.cat([reading.seen for reading in each], -1), tuple(each))

    def of(self, rows: Tensor) -> Readings:
        """What was read of some rows only, or of some more than once; int64 `[n]`."""
        return Readings.together([reading.of(rows) for reading in self.each])


class Ensemble(nn.Module):
    """Models of the same vocabularies as one: the mean of their probabilities at every step.

    It answers as one of them does, of `Readings`, and is not trained. The models may differ in
    size, cell and attention; all of them write in the same direction.

    Source: Sutskever et al. 2014 (arXiv:1409.3215), section 3.2.
    """

    def __init__(self, members: Sequence[AttentiveDecoder]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def __iter__(self) -> Iterator[AttentiveDecoder]:
        """The models, one after the other."""
        return (cast(AttentiveDecoder, member) for member in self.members)

    @property
    def right_to_left(self) -> bool:
        """Whether the last symbol is written first."""
        return next(iter(self)).right_to_left

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
        before, after = next(iter(self)).as_written(before, after, lengths)
        return cross_entropy(self.logits(reading, before, lengths), after, ignore=PAD)

    def log_probabilities(
        self, reading: Reading, before: Tensor, after: Tensor, lengths: Tensor
    ) -> Tensor:
        """The log probability of each text, its end included, as a search counts it: `[B]`."""
        before, after = next(iter(self)).as_written(before, after, lengths)
        each = [
            torch.log_softmax(without_specials(member.logits(own, before, lengths)), dim=-1)
            for member, own in self._pairs(reading)
        ]
        return of_texts(mean_log_probabilities(each), after, lengths)

    def attention_weights(self, reading: Reading, before: Tensor, lengths: Tensor) -> Tensor | None:
        """The mean of how much those with attention read of each place: `[T, B, S]`."""
        pairs = self._pairs(reading)
        found = [member.attention_weights(own, before, lengths) for member, own in pairs]
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


class BothWays(nn.Module):
    """Models that write from left to right, and others that write from right to left, as one.

    Whoever writes in one direction errs more often towards the end. So the models of either
    direction, an ensemble each, propose texts; a text's probability is the geometric mean of all
    models', those of a direction weighted by their number.

    Source: Liu et al. 2016, "Agreement on target-bidirectional neural machine translation"
    (NAACL): the candidates of both searches, reordered by the probability of both models.
    """

    def __init__(self, members: Sequence[AttentiveDecoder]):
        super().__init__()
        apart = [[m for m in members if m.right_to_left is way] for way in (False, True)]
        self.ways = nn.ModuleList(Ensemble(group) for group in apart)

    def __iter__(self) -> Iterator[AttentiveDecoder]:
        """The models, those that write from left to right first."""
        return (member for way in self.ways for member in cast(Ensemble, way))

    def apart(self, reading: Reading) -> Iterator[tuple[Ensemble, Readings]]:
        """The ensemble of each direction, and what its models read."""
        assert isinstance(reading, Readings)
        each = iter(reading.each)
        for way in self.ways:
            ensemble = cast(Ensemble, way)
            yield ensemble, Readings.together([next(each) for _ in ensemble])

    def nats(self, reading: Reading, before: Tensor, after: Tensor, lengths: Tensor) -> Tensor:
        """The summed loss of symbols `after` those `before`: the weighted mean of both ways'."""
        pairs = self.apart(reading)
        return self._mean([way.nats(own, before, after, lengths) for way, own in pairs])

    def log_probabilities(
        self, reading: Reading, before: Tensor, after: Tensor, lengths: Tensor
    ) -> Tensor:
        """The log probability of each text, its end included: `[B]`."""
        pairs = self.apart(reading)
        return self._mean(
            [way.log_probabilities(own, before, after, lengths) for way, own in pairs]
        )

    def attention_weights(self, reading: Reading, before: Tensor, lengths: Tensor) -> Tensor | None:
        """The weighted mean of how much was read of each place: `[T, B, S]`."""
        pairs = self.apart(reading)
        found = [way.attention_weights(own, before, lengths) for way, own in pairs]
        left, right = found
        if left is None or right is None:
            return right if left is None else left
        return self._mean([left, right])

    def _mean(self, of_ways: Sequence[Tensor]) -> Tensor:
        counts = [len(list(cast(Ensemble, way))) for way in self.ways]
        total = torch.stack([n * one for n, one in zip(counts, of_ways, strict=True)]).sum(0)
        return total / sum(counts)
