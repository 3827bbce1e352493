import sys

import pytest

from cellwise.errors import DataError
from cellwise.tasks.error_rates import (
    bleu,
    edit_distance,
    sequence_error_rate,
    token_error_rate,
)


@pytest.mark.parametrize(
    ("found", "right", "edits"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
        ("saturday", "sunday", 3),
        ("abc", "abc", 0),
        ("ab", "ba", 2),
    ],
)
def test_edit_distances_known_by_hand(found, right, edits):
    assert edit_distance(found, right) == edits
    assert edit_distance(right, found) == edits


def test_edits_count_against_the_nearest_reference():
    found = ["abcd", "xy"]
    references = [["zzzzzz", "abce"], ["xy"]]
    assert token_error_rate(found, references) == pytest.approx(1 / 6)


def test_of_equally_near_references_the_first_gives_the_length():
    assert token_error_rate(["ab"], [["abc", "a"]]) == pytest.approx(1 / 3)
    assert token_error_rate(["ab"], [["a", "abc"]]) == pytest.approx(1 / 1)


def test_a_sequence_is_right_if_it_equals_any_reference():
    found: list[tuple[str, ...]] = [("T", "AH"), ("K",), ()]
    references: list[list[tuple[str, ...]]]
    references = [[("T", "EY"), ("T", "AH")], [("G",)], [("K",)]]
    assert sequence_error_rate(found, references) == pytest.approx(2 / 3)


def test_bleu_is_full_for_the_references_and_takes_the_best_of_them():
    found = [tuple("abcde"), tuple("fghij")]
    references = [[tuple("xxxxx"), tuple("abcde")], [tuple("fghij")]]
    assert bleu(found, references) == pytest.approx(100)


def test_bleu_takes_any_number_of_references_a_source():
    found = [tuple("abcdefg"), tuple("fghijkl"), tuple("mnopqrs")]
    references: list[list[tuple[str, ...]]]
    references = [[tuple("abxdefg")], [tuple("fghxx"), tuple("xghijkx"), tuple("hijk")], [("m",)]]
    repeated = [[rights[i % len(rights)] for i in range(3)] for rights in references]
    assert bleu(found, references) == bleu(found, repeated)
    assert 0 < bleu(found, references) < 100


def test_bleu_known_by_hand():
    # 5 of 6, 3 of 5, 1 of 4 n-grams and none of three fourgrams (smoothed: half of one).
    score = bleu([tuple("abcxef")], [[tuple("abcdef")]])
    precisions = (5 / 6) * (3 / 5) * (1 / 4) * (1 / 2 / 3)
    assert score == pytest.approx(100 * precisions**0.25)


def test_bleu_counts_a_blank_as_a_symbol():
    assert bleu([tuple("a b c d")], [[tuple("a b c d")]]) == pytest.approx(100)
    assert bleu([tuple("abcd abcd")], [[tuple("abcdabcd")]]) < 100


def test_a_missing_sacrebleu_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(DataError) as error:
        bleu([("a",)], [[("a",)]])
    assert str(error.value) == "BLEU needs the package sacrebleu; run: pip install sacrebleu"
