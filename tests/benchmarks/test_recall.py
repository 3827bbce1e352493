import math

import pytest

from benchmarks.recall import (
    KEYS,
    Effort,
    Recall,
    draw,
    lines_of,
    of_network,
    of_ngrams,
    row,
)


def test_a_line_asks_for_its_key_after_noise():
    lines = lines_of(3, 50, seed=1)
    assert {len(line) for line in lines} == {6}
    assert all(line[0] == line[-1] and line[4] == "?" for line in lines)
    assert lines_of(3, 50, seed=1) == lines != lines_of(3, 50, seed=2)


def test_recall_is_of_the_last_key():
    share = math.log(1 / 4)

    def score(lines):
        assert [line[-1] for line in lines] == list(KEYS)
        return [share if line[-1] == "b" else -9.0 for line in lines]

    assert Recall.of(["bx?b", "ax?a"], score) == Recall((9.0 - share) / 2, 0.5)


def test_n_grams_recall_what_they_see():
    near, far = (of_ngrams(lines_of(d, 6000, seed=1), lines_of(d, 100, seed=2)) for d in (1, 5))
    assert near.accuracy == 1
    assert near.nats < 0.1
    assert far.accuracy < 0.3
    assert far.nats > 2.5


def test_a_network_recalls_nothing_untrained(tmp_path):
    effort = Effort(hidden_size=4, steps=1, threads=1)
    training, tested = lines_of(1, 300, seed=1), lines_of(1, 9, seed=2)
    found = of_network("elman", training, tested, effort, tmp_path)
    assert found.nats > 1


def test_a_row_and_the_figure(tmp_path):
    pytest.importorskip("matplotlib")
    found = [Recall(0.123, 1.0), Recall(2.777, 0.0625)]
    assert row(5, found) == ("5", "0.12  (100%)", "2.78  (6%)")
    draw(tmp_path / "recall.svg", [5, 10], {"gru": found})
    assert (tmp_path / "recall.svg").read_text(encoding="utf-8").startswith("<?xml")
