from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies
from nervaluate import Evaluator

from cellwise.errors import DataError
from cellwise.tasks.spans import (
    Scheme,
    Span,
    SpanScores,
    labels_of,
    rewritten,
    spans_of,
    transitions,
)

BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
IOBES = [*BIO, "E-PER", "S-PER", "E-LOC", "S-LOC"]

sentences = strategies.lists(strategies.sampled_from(BIO), min_size=1, max_size=8)
pairs = sentences.flatmap(
    lambda right: strategies.tuples(
        strategies.just(right),
        strategies.lists(strategies.sampled_from(BIO), min_size=len(right), max_size=len(right)),
    )
)


@strategies.composite
def spans(draw: strategies.DrawFn) -> tuple[list[Span], int]:
    """Spans that do not overlap, and the number of tokens."""
    n_tokens = draw(strategies.integers(0, 10))
    edges = sorted(draw(strategies.sets(strategies.integers(0, n_tokens), max_size=6)))
    found = [
        Span(first, after - 1, draw(strategies.sampled_from(["PER", "LOC", "B-I"])))
        for first, after in pairwise(edges)
        if draw(strategies.booleans())
    ]
    return found, n_tokens


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ("", []),
        ("O O", []),
        ("B-X I-X B-X", [(0, 1, "X"), (2, 2, "X")]),
        ("I-X I-X O I-X", [(0, 1, "X"), (3, 3, "X")]),  # IOB1, or I after O
        ("B-X I-Y I-Y", [(0, 0, "X"), (1, 2, "Y")]),
        ("B-X E-X S-X", [(0, 1, "X"), (2, 2, "X")]),
        ("B-X E-X I-X E-X", [(0, 1, "X"), (2, 3, "X")]),
        ("S-X I-X", [(0, 0, "X"), (1, 1, "X")]),
        ("E-X E-X", [(0, 0, "X"), (1, 1, "X")]),
        ("B-X O", [(0, 0, "X")]),  # never ended
        ("B-X B-X", [(0, 0, "X"), (1, 1, "X")]),
        ("B-X E-Y", [(0, 0, "X"), (1, 1, "Y")]),
    ],
)
def test_spans_known_by_hand(labels, wanted):
    assert spans_of(labels.split()) == [Span(*span) for span in wanted]


@given(spans(), strategies.sampled_from(["bio", "iobes"]))
def test_spans_survive_as_labels(case, scheme: Scheme):
    wanted, n_tokens = case
    labels = labels_of(wanted, n_tokens, scheme)
    assert len(labels) == n_tokens
    assert spans_of(labels) == wanted
    assert is_well_formed(labels, scheme)


@given(strategies.lists(strategies.sampled_from(IOBES), max_size=8))
def test_rewritten_labels_are_well_formed_and_mean_the_same(labels):
    for scheme in ("bio", "iobes"):
        again = rewritten(labels, scheme)
        assert spans_of(again) == spans_of(labels)
        assert rewritten(again, scheme) == again
        assert is_well_formed(again, scheme)


@given(strategies.lists(strategies.sampled_from(IOBES), max_size=6))
def test_what_may_follow_is_what_well_formed_sentences_hold(labels):
    assert is_well_formed(labels, "iobes") == (rewritten(labels, "iobes") == tuple(labels))


@given(strategies.lists(strategies.sampled_from(BIO), max_size=6))
def test_what_may_follow_in_bio(labels):
    assert is_well_formed(labels, "bio") == (rewritten(labels, "bio") == tuple(labels))


def is_well_formed(labels, scheme: Scheme) -> bool:
    names = sorted({*IOBES, *labels})
    allowed = transitions(names, scheme)
    numbers = [-1, *(names.index(label) for label in labels), -1]
    return all(allowed[a][b] for a, b in pairwise(numbers))


@given(strategies.lists(pairs, min_size=1, max_size=4))
def test_scores_are_those_of_nervaluate(cases):
    right, given_labels = ([list(case[i]) for case in cases] for i in (0, 1))
    scores = SpanScores()
    for wanted, answer in cases:
        scores.add(spans_of(wanted), spans_of(answer))
    found = Evaluator(right, given_labels, tags=["PER", "LOC"], loader="list").evaluate()
    strict = found["overall"]["strict"]
    assert scores.metrics() == {
        "span_precision": pytest.approx(strict.precision),
        "span_recall": pytest.approx(strict.recall),
        "span_f1": pytest.approx(strict.f1),
    }
    for kind in scores.of_kinds():
        theirs = found["entities"][kind.name]["strict"]
        assert kind.f1 == pytest.approx(theirs.f1)
        assert (kind.n_hits, kind.n_given) == (theirs.correct, theirs.actual)


def test_scores_known_by_hand():
    scores = SpanScores()
    assert scores.metrics() == {"span_precision": 0, "span_recall": 0, "span_f1": 0}
    scores.add([Span(0, 1, "A"), Span(3, 3, "B")], [Span(0, 1, "A"), Span(3, 3, "A")])
    scores.add([Span(0, 0, "B"), Span(2, 2, "B")], [Span(0, 1, "B")])
    assert scores.metrics() == {
        "span_precision": 1 / 3,
        "span_recall": 1 / 4,
        "span_f1": pytest.approx(2 / 7),
    }
    assert {kind.name: kind.f1 for kind in scores.of_kinds()} == {"A": pytest.approx(2 / 3), "B": 0}


@pytest.mark.parametrize("label", ["NOUN", "B", "B-", "b-PER", "", "O-PER", "X-PER"])
def test_other_labels_are_refused(label):
    with pytest.raises(DataError) as error:
        rewritten(["O", label], "bio")
    assert str(error.value) == (
        f"'{label}' is no label of a span: that is O, or B-, I-, E- or S- with a kind behind it, "
        'such as B-PER; for labels of another sort set data.scheme = "none"'
    )
