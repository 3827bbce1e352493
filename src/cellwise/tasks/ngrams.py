"""An n-gram model, interpolated modified Kneser-Ney: what a network has to be better than."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwise.data.vocabulary import PAD, START
from cellwise.errors import ConfigError, DataError

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]

NOWHERE = -1
"""The number of an n-gram that training did not hold, or that reaches over the start of a line."""

FALLBACK = (0.5, 1.0, 1.5)
"""The discounts of counts 1, 2 and more where too few n-grams are there to estimate them."""


@dataclass(frozen=True)
class Level:
    """What training says of the n-grams of one length, M of them.

    An n-gram is known by its number, which is its place among the `keys`. Its key is the number of
    its first n - 1 symbols, times V, plus its last symbol.

    Attributes:
        keys: ascending, `[M]`.
        gain: the discounted share of the n-gram in what follows its first n - 1 symbols, `[M]`.
        rest: for every (n - 1)-gram the share that is left to shorter ones; 1 where nothing
            follows it.
    """

    keys: Integers
    gain: Reals
    rest: Reals

    @staticmethod
    def of(keys: Integers, counts: Integers, *, n_symbols: int, n_shorter: int) -> Level:
        """The level of n-grams that count so much, after `n_shorter` shorter ones."""
        first, taken = keys // n_symbols, discounts(counts)[counts.clip(max=3)]
        total = np.bincount(first, counts, minlength=n_shorter)
        left = np.bincount(first, taken, minlength=n_shorter)
        rest = np.divide(left, total, out=np.ones(n_shorter), where=total > 0)
        gain = (counts - taken) / np.maximum(total[first], 1)
        return Level(keys, gain, rest)

    def mixed(self, before: Integers, own: Integers, shorter: Reals) -> Reals:
        """Probabilities from those of the shorter n-grams, by the numbers of n-grams.

        Args:
            before: the (n - 1)-gram that a symbol follows.
            own: the n-gram that it ends.
            shorter: its probability after one symbol less.
        """
        rest = np.where(before == NOWHERE, 1.0, self.rest[before])
        return np.where(own == NOWHERE, 0.0, self.gain[own]) + rest * shorter


class NGrams:
    """The probability of a symbol from the n - 1 symbols before it, within its line.

    It is the discounted share of the n-gram, plus what the discounts took times the probability
    after one symbol less; the shortest are mixed with equal probabilities of all symbols. What
    counts of n-grams shorter than n is how many different symbols stand before them, but for those
    at the start of a line, where nothing does.

    Source: Chen and Goodman 1998 (TR-10-98, Harvard), section 3, modified Kneser-Ney with discounts
    for each length; the start of a line as in Heafield et al. 2013, section 3.

    Example:
        >>> model = NGrams.fit([[4, 5, 3], [4, 4, 3]], n_symbols=6, order=2)
        >>> round(float(model.distribution([4]).sum()), 6)
        1.0

    Args:
        levels: for n-grams of length 1, 2 ….
        n_symbols: V; all but the padding and the start of a line can be foretold.
    """

    def __init__(self, levels: Sequence[Level], n_symbols: int):
        self.levels, self.n_symbols = tuple(levels), n_symbols

    @classmethod
    def fit(cls, lines: Iterable[Sequence[int]], *, n_symbols: int, order: int = 5) -> NGrams:
        """The model of lines, each the numbers of its symbols and of its end.

        Raises:
            ConfigError: the order is below 1.
            DataError: there is no symbol.
        """
        if order < 1:
            raise ConfigError(f"the order of an n-gram model must be 1 or more, not {order}")
        symbols = _in_one_row(lines)
        if not (symbols != START).any():
            raise DataError("an n-gram model needs at least one symbol to learn from")
        keys, places = [np.arange(n_symbols)], [symbols]
        for _ in range(1, order):
            found, own = _numbered(_joined(_moved(places[-1]), symbols, n_symbols))
            keys.append(found)
            places.append(own)
        shorter = [1, *(len(found) for found in keys[:-1])]
        levels = [
            Level.of(found, counts, n_symbols=n_symbols, n_shorter=n_shorter)
            for found, counts, n_shorter in zip(keys, _counts(places, keys), shorter, strict=True)
        ]
        return cls(levels, n_symbols)

    def log_probabilities(self, lines: Iterable[Sequence[int]]) -> Reals:
        """The logarithms of the probabilities of all symbols of all lines, one after the other."""
        symbols = _in_one_row(lines)
        before, own = np.zeros_like(symbols), symbols
        shares = np.full(len(symbols), self._equal)
        for level in self.levels:
            if level is not self.levels[0]:
                before = _moved(own)
                own = _found(level.keys, _joined(before, symbols, self.n_symbols))
            shares = level.mixed(before, own, shares)
        told: Reals = np.log(shares[symbols != START])
        return told

    def perplexity(self, lines: Iterable[Sequence[int]]) -> float:
        """e to the mean loss in nats over all symbols of lines."""
        return math.exp(-float(self.log_probabilities(lines).mean()))

    def distribution(self, context: Sequence[int]) -> Reals:
        """The probabilities of all symbols, `[V]`, after the first symbols of a line."""
        symbols = np.arange(self.n_symbols)
        own, shares = symbols, np.full(self.n_symbols, self._equal)
        line = [START, *context]
        for n, level in enumerate(self.levels[: len(line) + 1]):
            before = np.full(self.n_symbols, self._number(line[len(line) - n :]))
            if n:
                own = _found(level.keys, _joined(before, symbols, self.n_symbols))
            shares = level.mixed(before, own, shares)
        shares[[PAD, START]] = 0
        return shares

    @property
    def _equal(self) -> float:
        """The probability of a symbol of which nothing at all is known."""
        return 1 / (self.n_symbols - 2)

    def _number(self, symbols: Sequence[int]) -> int:
        """The number of an n-gram; 0 for that of no symbols."""
        if len(symbols) < 2:
            return symbols[0] if symbols else 0
        first = np.array([self._number(symbols[:-1])])
        key = _joined(first, np.array(symbols[-1:]), self.n_symbols)
        return int(_found(self.levels[len(symbols) - 1].keys, key)[0])


def discounts(counts: Integers) -> Reals:
    """What is taken off counts of 0, 1, 2, and of 3 and more, `[4]`, from how many there are."""
    n = np.bincount(counts.clip(max=5), minlength=6).astype(np.float64)
    if not n[1:5].all():
        return np.array((0, *FALLBACK))
    share = n[1] / (n[1] + 2 * n[2])
    taken = [k - (k + 1) * share * n[k + 1] / n[k] for k in (1, 2, 3)]
    return np.array([0, *np.clip(taken, 0, (1, 2, 3))])


def _counts(places: Sequence[Integers], keys: Sequence[Integers]) -> list[Integers]:
    """What counts of the n-grams of each length, from the numbers of those that end at each place.

    The longest count as often as they occur, those at the start of a line too, which never follow
    anything.
    """
    counts = []
    for n, (own, found) in enumerate(zip(places, keys, strict=True)):
        occurring = np.bincount(own[own != NOWHERE], minlength=len(found))
        if n == 0:
            occurring[START] = 0
        if n + 1 < len(places):
            _, first = np.unique(places[n + 1], return_index=True)
            longer = first[places[n + 1][first] != NOWHERE]
            different = np.bincount(own[longer], minlength=len(found))
            occurring = np.where(different > 0, different, occurring)
        counts.append(occurring)
    return counts


def _in_one_row(lines: Iterable[Sequence[int]]) -> Integers:
    """All symbols, a start before each line."""

    def symbols() -> Iterator[int]:
        for line in lines:
            yield START
            yield from line

    return np.fromiter(symbols(), np.int64)


def _moved(numbers: Integers) -> Integers:
    """At each place what stood one place before."""
    return np.concatenate([[NOWHERE], numbers[:-1]])


def _joined(before: Integers, symbols: Integers, n_symbols: int) -> Integers:
    """The keys of n-grams; nowhere if there is none before, or where a line starts."""
    none = (before == NOWHERE) | (symbols == START)
    return np.where(none, NOWHERE, before * n_symbols + symbols)


def _numbered(keys: Integers) -> tuple[Integers, Integers]:
    """The different keys, ascending, and at each place which of them stands there."""
    real = keys != NOWHERE
    found, own = np.unique(keys[real], return_inverse=True)
    numbers = np.full(len(keys), NOWHERE)
    numbers[real] = own
    return found, numbers


def _found(keys: Integers, asked: Integers) -> Integers:
    """Which of the ascending keys each one that is asked for is."""
    if not len(keys):
        return np.full(len(asked), NOWHERE)
    places = np.searchsorted(keys, asked).clip(max=len(keys) - 1)
    return np.where(keys[places] == asked, places, NOWHERE)
