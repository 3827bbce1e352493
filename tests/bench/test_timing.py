from __future__ import annotations

from cellwise.bench.timing import (
    MOST_REPEATS,
    SAMPLE_SECONDS,
    Spread,
    enough_repeats,
    interleave,
    ratios,
    time_calls,
)


class Fake:
    """Says how often it was asked, and takes as long as it was told."""

    def __init__(self, name: str, log: list[str], spent: float):
        self.name, self.log, self.spent = name, log, spent

    def seconds(self, repeats: int) -> float:
        self.log.append(f"{self.name}{repeats}")
        return self.spent


def test_a_spread_has_the_median_and_the_ends():
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_ratios_are_taken_round_by_round():
    assert ratios([2.0, 30.0, 4.0], [1.0, 10.0, 4.0]) == Spread(2.0, 1.0, 3.0)


def test_all_take_turns_in_every_round():
    log: list[str] = []
    slow, slower = SAMPLE_SECONDS, 2 * SAMPLE_SECONDS
    found = interleave({"a": Fake("a", log, slow), "b": Fake("b", log, slower)}, 3)
    assert log[4:] == ["a1", "b1"] * 3
    assert found == {"a": [slow] * 3, "b": [slower] * 3}


def test_what_is_short_is_repeated_to_fill_a_sample():
    assert enough_repeats(Fake("", [], SAMPLE_SECONDS / 8)) == 8
    assert enough_repeats(Fake("", [], 0.0)) == MOST_REPEATS


def test_calls_are_made_as_often_as_they_are_said_to_be():
    made: list[int] = []
    assert time_calls(lambda: made.append(1), 5) >= 0
    assert len(made) == 5
