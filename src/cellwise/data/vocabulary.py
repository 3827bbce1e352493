"""Vocabularies: the numbers of a model's symbols."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from cellwise.errors import DataError

PAD, UNKNOWN, START, END = 0, 1, 2, 3
SPECIALS = ("<pad>", "<unknown>", "<start>", "<end>")


class Vocabulary:
    """Symbols and their numbers.

    The four special symbols come first, then those of the data, the frequent first. A vocabulary of
    labels has no special symbols (`specials=()`), and an unknown label is an error.

    What stands in the data as `<end>`, `<start>` or `<pad>` is a symbol like any other, with a
    number of its own. `<unknown>` is unknown: word forms and subwords write it so.

    Example:
        >>> letters = Vocabulary.build(["abba", "b"])
        >>> letters.encode("abx")
        [5, 4, 1]
        >>> letters.decode([5, 4])
        ['a', 'b']
    """

    def __init__(
        self,
        symbols: Sequence[str],
        counts: Sequence[int] | None = None,
        *,
        specials: Sequence[str] = SPECIALS,
    ):
        self.specials = tuple(specials)
        self.symbols = tuple(symbols)
        self.counts = tuple(counts) if counts is not None else (0,) * len(self.symbols)
        self._number = {s: i for i, s in enumerate(self.symbols, len(self.specials))}
        if self.specials:
            self._number[self.specials[UNKNOWN]] = UNKNOWN

    @classmethod
    def build(
        cls,
        sequences: Iterable[Iterable[str]],
        *,
        min_count: int = 1,
        specials: Sequence[str] = SPECIALS,
        known: Iterable[str] = (),
    ) -> Vocabulary:
        """The vocabulary of all symbols that occur at least `min_count` times in the sequences.

        Symbols that are `known` are in it however often they occur.
        """
        known = dict.fromkeys(known, 0)
        counts = Counter(known)
        counts.update(symbol for sequence in sequences for symbol in sequence)
        if specials:
            counts.pop(specials[UNKNOWN], None)
        kept = [(s, n) for s, n in counts.items() if n >= min_count or s in known]
        kept.sort(key=lambda pair: (-pair[1], pair[0]))
        return cls([s for s, _ in kept], [n for _, n in kept], specials=specials)

    def __len__(self) -> int:
        return len(self.specials) + len(self.symbols)

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._number

    def encode(self, sequence: Iterable[str]) -> list[int]:
        """The numbers of symbols.

        Raises:
            DataError: a symbol is unknown, and the vocabulary has no special `<unknown>`.
        """
        if self.specials:
            return [self._number.get(symbol, UNKNOWN) for symbol in sequence]
        return [self._known(symbol) for symbol in sequence]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """The symbols of numbers."""
        names = (*self.specials, *self.symbols)
        return [names[number] for number in numbers]

    def count(self, number: int) -> int:
        """How often the training data held the symbol of a number; 0 for the special ones."""
        position = number - len(self.specials)
        return self.counts[position] if position >= 0 else 0

    def to_json(self) -> dict[str, Any]:
        """The vocabulary as JSON values."""
        return {
            "specials": list(self.specials),
            "symbols": list(self.symbols),
            "counts": list(self.counts),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Vocabulary:
        """The vocabulary that `to_json` gave. Raises DataError when the values are none."""
        try:
            symbols, counts, specials = (values[k] for k in ("symbols", "counts", "specials"))
            if len(symbols) != len(counts):
                raise ValueError("there is not one count for each symbol")
            return cls(list(symbols), list(map(int, counts)), specials=list(specials))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                "this is no saved vocabulary: it needs the lists 'specials', 'symbols' and 'counts'"
            ) from error

    def _known(self, symbol: str) -> int:
        if symbol not in self._number:
            shown = ", ".join(sorted(self.symbols)[:20])
            raise DataError(f"unknown label '{symbol}'; the training data has: {shown}")
        return self._number[symbol]
