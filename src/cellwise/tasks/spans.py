"""Spans of tokens as labels: BIO and IOBES, there and back, and how many spans were found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cellwise.errors import DataError
from cellwise.tasks.class_scores import ClassScore

Scheme = Literal["bio", "iobes"]

OUTSIDE = "O"
LABEL = re.compile(r"O|[BIES]-.+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens that belong together, from the first to the last, both counted from 0 and both in."""

    first: int
    last: int
    kind: str


def spans_of(labels: Sequence[str]) -> list[Span]:
    """The spans that labels mean, in BIO, IOB1 or IOBES, well-formed or not.

    B- and S- start a span, E- and S- end one, and another kind does both. I- and E- go on with the
    span before them if it is of their kind and not ended; else they start one, as with conlleval,
    the script of the CoNLL tasks of 2000 to 2003. A span that nothing ends counts.

    Example:
        >>> spans_of(["B-PER", "I-PER", "O", "I-LOC"])
        [Span(first=0, last=1, kind='PER'), Span(first=3, last=3, kind='LOC')]
    """
    found: list[Span] = []
    first, open_kind, ended = 0, "", True
    for place, label in enumerate((*labels, OUTSIDE)):
        mark, _, kind = label.partition("-")
        goes_on = mark in ("I", "E") and kind == open_kind and not ended
        if open_kind and not goes_on:
            found.append(Span(first, place - 1, open_kind))
        if not goes_on:
            first, open_kind = place, kind
        ended = mark in ("E", "S", OUTSIDE)
    return found


def labels_of(spans: Iterable[Span], n_tokens: int, scheme: Scheme) -> list[str]:
    """The labels of a sentence's tokens; the spans must not overlap.

    Example:
        >>> labels_of([Span(0, 1, "PER"), Span(3, 3, "LOC")], 4, "iobes")
        ['B-PER', 'E-PER', 'O', 'S-LOC']
    """
    labels = [OUTSIDE] * n_tokens
    for span in spans:
        labels[span.first : span.last + 1] = _marked(span, scheme)
    return labels


def _marked(span: Span, scheme: Scheme) -> list[str]:
    n_tokens = span.last - span.first + 1
    marks = "B" + "I" * (n_tokens - 1)
    if scheme == "iobes":
        marks = "S" if n_tokens == 1 else f"B{'I' * (n_tokens - 2)}E"
    return [f"{mark}-{span.kind}" for mark in marks]


def rewritten(labels: Sequence[str], scheme: Scheme) -> tuple[str, ...]:
    """Labels that mean the same spans, well-formed in a scheme.

    Raises:
        DataError: one is no label of a span.
    """
    for label in labels:
        if not LABEL.fullmatch(label):
            raise DataError(
                f"'{label}' is no label of a span: that is O, or B-, I-, E- or S- with a kind "
                'behind it, such as B-PER; for labels of another sort set data.scheme = "none"'
            )
    return tuple(labels_of(spans_of(labels), len(labels), scheme))


def transitions(labels: Sequence[str], scheme: Scheme) -> list[list[bool]]:
    """Which label may come after which in a well-formed sentence.

    Returns:
        A square of a row and a column for each label, and a last one of either for the edges: what
        a sentence may begin with, and what it may end with.
    """
    edged = [*labels, OUTSIDE]
    return [[_may_follow(after, before, scheme) for after in edged] for before in edged]


def _may_follow(after: str, before: str, scheme: Scheme) -> bool:
    mark, _, kind = after.partition("-")
    mark_before, _, kind_before = before.partition("-")
    goes_on = mark in ("I", "E")
    is_open = mark_before in ("B", "I")
    if scheme == "bio":
        return not goes_on or (is_open and kind == kind_before)
    return goes_on == is_open and (not goes_on or kind == kind_before)


@dataclass
class SpanScores:
    """Counts of spans by their kind: right ones, given ones, and those that are both.

    A span that is given is a hit if the same first token, last token and kind are right.

    Source: Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 shared task".
    """

    right: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)

    def add(self, right: Sequence[Span], given: Sequence[Span]) -> None:
        """Count a sentence."""
        self.right.update(span.kind for span in right)
        self.given.update(span.kind for span in given)
        self.hits.update(span.kind for span in set(right) & set(given))

    def of_kinds(self) -> tuple[ClassScore, ...]:
        """The score of each kind, by name."""
        return tuple(
            ClassScore(kind, self.right[kind], self.given[kind], self.hits[kind])
            for kind in sorted(self.right.keys() | self.given.keys())
        )

    def metrics(self) -> dict[str, float]:
        """Precision, recall and F1 of all spans; 0 of none."""
        whole = ClassScore("", self.right.total(), self.given.total(), self.hits.total())
        return {
            "span_precision": whole.precision,
            "span_recall": whole.recall,
            "span_f1": whole.f1,
        }
