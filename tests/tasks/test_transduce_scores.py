import pytest

from cellwise.data.symbols import Symbols
from cellwise.tasks.pairs import Pair
from cellwise.tasks.transduce_scores import goal_of, scores_of

PAIRS = [Pair("x", ("a b c d e",)), Pair("y", ("b c d e f", "a"))]


def test_right_answers_have_no_errors_and_full_scores():
    answers = [tuple("abcde"), tuple("bcdef")]
    report = scores_of(answers, PAIRS, Symbols("words"))
    assert report.metrics == {
        "token_error_rate": 0,
        "sequence_error_rate": 0,
        "bleu": pytest.approx(100),
        "chrf": pytest.approx(100),
    }
    assert "tok:13a" in report.notes["bleu_signature"]
    assert "nc:6" in report.notes["chrf_signature"]


def test_errors_count_symbols_and_texts():
    report = scores_of([tuple("abxde"), ("a",)], PAIRS, Symbols("words"))
    assert report.metrics["token_error_rate"] == pytest.approx(1 / 6)
    assert report.metrics["sequence_error_rate"] == 0.5


def test_bleu_of_pieces_is_that_of_the_words_that_they_make():
    pairs = [Pair("x", ("a small dog runs home.",))]
    symbols = Symbols.fit("subwords", [pairs[0].targets[0]] * 3, n_subwords=20)
    answer = symbols.cut("a small dog runs home.")
    assert len(answer) > len("a small dog runs home .".split())
    assert scores_of([answer], pairs, symbols).metrics["bleu"] == pytest.approx(100)


def test_characters_are_counted_as_they_are():
    report = scores_of([tuple("abcd e")], [Pair("x", ("abcd e",))], Symbols("characters"))
    assert report.metrics["bleu"] == pytest.approx(100)
    assert "chrf" not in report.metrics
    assert report.notes == {}


def test_scores_are_to_be_large_and_errors_small():
    assert [goal_of(name) for name in ("bleu", "chrf")] == ["max", "max"]
    assert [goal_of(name) for name in ("loss", "token_error_rate")] == ["min", "min"]
