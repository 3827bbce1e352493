"""How right trees are: labelled brackets against gold ones, by the published rules of EVALB.

Source: Black et al. 1991, "A procedure for quantitatively comparing the syntactic coverage of
English grammars"; the program EVALB (Sekine and Collins 1997) with its parameters COLLINS.prm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cellwise.brackets import Tree
from cellwise.data.trees_reshape import TRACE
from cellwise.errors import DataError

DELETED = frozenset({"TOP", TRACE, ",", ":", "``", "''", "."})
"""Labels that do not count: of a word, the word is gone; of a phrase, the bracket alone."""

SAME = {"PRT": "ADVP"}
"""Labels that count as another one."""

SHORT = 40
"""The most words, punctuation counted, of the sentences that are also judged by themselves."""

Bracket = tuple[str, int, int]
"""A label, the place of the first word, and the one after the last."""


@dataclass(frozen=True)
class Compared:
    """What a comparison of trees counts; sums of them are comparisons of several sentences.

    Attributes:
        matched: brackets of the same label over the same words in both.
        gold: brackets of the right tree.
        found: brackets of the other tree.
        crossing: brackets found that cross one of the right tree.
        complete: sentences all of whose brackets are right.
        sentences: how many there are.
    """

    matched: int = 0
    gold: int = 0
    found: int = 0
    crossing: int = 0
    complete: int = 0
    sentences: int = 0

    def __add__(self, other: Compared) -> Compared:
        return Compared(
            self.matched + other.matched,
            self.gold + other.gold,
            self.found + other.found,
            self.crossing + other.crossing,
            self.complete + other.complete,
            self.sentences + other.sentences,
        )

    @property
    def recall(self) -> float:
        """The share of the right brackets that were found."""
        return self.matched / max(1, self.gold)

    @property
    def precision(self) -> float:
        """The share of the brackets found that are right."""
        return self.matched / max(1, self.found)

    @property
    def f1(self) -> float:
        """The harmonic mean of recall and precision."""
        return 2 * self.matched / max(1, self.gold + self.found)

    def metrics(self, ending: str = "") -> dict[str, float]:
        """The figures by name: percentages, as EVALB has them, and crossing brackets a sentence."""
        n_sentences = max(1, self.sentences)
        return {
            f"f1{ending}": 100 * self.f1,
            f"recall{ending}": 100 * self.recall,
            f"precision{ending}": 100 * self.precision,
            f"complete_match{ending}": 100 * self.complete / n_sentences,
            f"average_crossing{ending}": self.crossing / n_sentences,
        }


def compare(gold: Tree, found: Tree | None) -> Compared:
    """The brackets of a tree against those of the right one.

    Words are the same if they differ in capitals alone. Words whose part of speech is that of
    punctuation are left out by the right tree's parts of speech, so that the other tree needs none.

    >>> from cellwise.brackets import parse
    >>> right, other = "(S (NP (PRP it)) (VP (VBZ is)) (. .))", "(S (X it) (VP (X is) (X .)))"
    >>> one = compare(*parse([right, other]))
    >>> one.matched, one.gold, one.found
    (2, 3, 2)

    Args:
        gold: the right tree.
        found: the tree to be judged; None for none, which has no right bracket. (EVALB leaves
            sentences without a tree out, so that its figures get better by them.)

    Raises:
        DataError: the trees are over different words.
    """
    tags = [tag for tag, word in _leaves(gold) if word is not None]
    if found is not None and _words(gold) != _words(found):
        raise DataError(
            f"the trees are over different words: '{' '.join(gold.sentence())}' "
            f"and '{' '.join(found.sentence())}'"
        )
    right = _brackets(gold, tags)
    other = _brackets(found, tags) if found is not None else []
    matched = (Counter(right) & Counter(other)).total()
    return Compared(
        matched,
        len(right),
        len(other),
        _crossing(right, other),
        int(matched == len(right) == len(other)),
        1,
    )


def n_words(tree: Tree) -> int:
    """The words of a sentence by which it is short or not: punctuation counts, traces do not."""
    return len(_leaves(tree))


def _leaves(tree: Tree) -> list[tuple[str, str]]:
    """The part of speech and the word of each leaf that is no trace."""
    return [
        (label, word)
        for label, word in zip(tree.labels, tree.words, strict=True)
        if word is not None and label != TRACE
    ]


def _words(tree: Tree) -> list[str]:
    return [word.lower() for _, word in _leaves(tree)]


def _brackets(tree: Tree, tags: Sequence[str]) -> list[Bracket]:
    """The brackets that count, over places of words that count; `tags` are those of all words."""
    places = [0]
    for tag in tags:
        places.append(places[-1] + (tag not in DELETED))
    found: list[Bracket] = []
    for node, (first, last) in enumerate(_spans(tree)):
        start, end = places[first], places[last]
        label = tree.labels[node].partition("-")[0].partition("=")[0]
        if tree.words[node] is None and start < end and label not in DELETED:
            found.append((SAME.get(label, label), start, end))
    return found


def _spans(tree: Tree) -> list[tuple[int, int]]:
    """For each node the place of its first word and of the one after its last; traces are none."""
    first, last = [0] * len(tree), [0] * len(tree)
    place = 0
    for node, (label, word) in enumerate(zip(tree.labels, tree.words, strict=True)):
        first[node] = place
        place += word is not None and label != TRACE
        last[node] = place
    for node in range(len(tree) - 1, 0, -1):
        above = tree.parents[node]
        last[above] = max(last[above], last[node])
    return list(zip(first, last, strict=True))


def _crossing(right: Sequence[Bracket], other: Sequence[Bracket]) -> int:
    """How many brackets of the second row cross at least one of the first."""
    spans = {(start, end) for _, start, end in right}
    return sum(
        any(a < start < b < end or start < a < end < b for a, b in spans) for _, start, end in other
    )
