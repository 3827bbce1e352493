"""How right the classes are that a model gives: counts, precision, recall, F1, confusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cellwise.errors import DataError


@dataclass(frozen=True)
class ClassScore:
    """How often a class was right, was given, and both.

    Attributes:
        name: the class.
        n_right: how often it was right.
        n_given: how often the model gave it.
        n_hits: how often it was right and was given.

    Example:
        >>> score = ClassScore("spam", n_right=4, n_given=2, n_hits=2)
        >>> score.precision, score.recall, round(score.f1, 3)
        (1.0, 0.5, 0.667)
    """

    name: str
    n_right: int
    n_given: int
    n_hits: int

    @property
    def precision(self) -> float:
        """The share of right ones among those that were given; 0 of none."""
        return _share(self.n_hits, self.n_given)

    @property
    def recall(self) -> float:
        """The share of those that were given among the right ones; 0 of none."""
        return _share(self.n_hits, self.n_right)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 where there is neither."""
        return _share(2 * self.n_hits, self.n_right + self.n_given)

    def record(self) -> dict[str, Any]:
        """The score as JSON values."""
        return {
            "class": self.name,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "right": self.n_right,
            "given": self.n_given,
        }


@dataclass(frozen=True)
class Confusion:
    """How often what belongs to one class was given another.

    Attributes:
        classes: their names.
        counts: `counts[i][j]`: how often the right class was i and the given one j.

    Example:
        >>> Confusion.of(right=["a", "a", "b"], given=["a", "b", "b"]).counts
        ((1, 1), (0, 1))
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls, right: Sequence[str], given: Sequence[str], *, classes: Sequence[str] = ()
    ) -> Confusion:
        """The matrix of right and given classes, one of each for every text.

        Args:
            right: the right classes.
            given: the classes that a model gave.
            classes: those that come first, in this order; more follow as they occur.
        """
        pairs = Counter(zip(right, given, strict=True))
        names = tuple(dict.fromkeys((*classes, *right, *given)))
        return cls(names, tuple(tuple(pairs[row, column] for column in names) for row in names))

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        hits = sum(row[place] for place, row in enumerate(self.counts))
        return _share(hits, sum(map(sum, self.counts)))

    def scores(self) -> tuple[ClassScore, ...]:
        """The score of each class."""
        given = [sum(column) for column in zip(*self.counts, strict=True)]
        return tuple(
            ClassScore(name, sum(row), given[place], row[place])
            for place, (name, row) in enumerate(zip(self.classes, self.counts, strict=True))
        )

    def record(self) -> dict[str, Any]:
        """The matrix as JSON values."""
        return {"classes": list(self.classes), "counts": [list(row) for row in self.counts]}


def scores_of_sets(
    right: Iterable[Collection[str]], given: Iterable[Collection[str]], classes: Sequence[str]
) -> tuple[ClassScore, ...]:
    """The score of each class where there may be several right ones, or none.

    Args:
        right: the right classes of each text.
        given: those that a model gave it.
        classes: the classes that come first, in this order; more follow as they occur.
    """
    n_right, n_given, n_hits = Counter[str](), Counter[str](), Counter[str]()
    for wanted, found in zip(right, given, strict=True):
        n_right.update(set(wanted))
        n_given.update(set(found))
        n_hits.update(set(wanted) & set(found))
    names = dict.fromkeys((*classes, *n_right, *n_given))
    return tuple(ClassScore(name, n_right[name], n_given[name], n_hits[name]) for name in names)


def macro_f1(scores: Iterable[ClassScore]) -> float:
    """The mean F1 of the classes that were right or given at least once; 0 of none."""
    values = [score.f1 for score in scores if score.n_right or score.n_given]
    return sum(values) / len(values) if values else 0.0


def micro_f1(scores: Sequence[ClassScore]) -> float:
    """The F1 of all classes' counts together; 0 where nothing was right or given."""
    hits = sum(score.n_hits for score in scores)
    return _share(2 * hits, sum(score.n_right + score.n_given for score in scores))


def check_known(labels: Iterable[str], known: Sequence[str], *, of: str) -> None:
    """Refuse labels of which a model knows none.

    Args:
        labels: those of the examples, each as often as it comes.
        known: those of the model.
        of: what they are labels of, in the plural, for the message.

    Raises:
        DataError: it knows none.

    Example:
        >>> check_known(["x", "a"], ("a", "b"), of="texts")
    """
    found = dict.fromkeys(labels)
    if found and not found.keys() & set(known):
        raise DataError(
            f"the model knows no label of these {of}: "
            f"they hold {_a_few(list(found))}, the model {_a_few(known)}"
        )


def _a_few(labels: Sequence[str]) -> str:
    return ", ".join(repr(label) for label in labels[:3]) + (", …" if len(labels) > 3 else "")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
