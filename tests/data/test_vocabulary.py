import json

import pytest

from cellwise.data.vocabulary import END, PAD, START, UNKNOWN, Vocabulary
from cellwise.errors import DataError


def test_frequent_symbols_come_first_and_ties_in_order():
    vocabulary = Vocabulary.build(["cab", "bc", "b"])
    assert vocabulary.symbols == ("b", "c", "a")
    assert vocabulary.encode("bca") == [4, 5, 6]
    assert [vocabulary.count(i) for i in range(len(vocabulary))] == [0, 0, 0, 0, 3, 2, 1]


def test_special_symbols_have_fixed_numbers_and_are_never_data():
    vocabulary = Vocabulary.build([["<end>", "x", "x", "<unknown>"]])
    assert vocabulary.decode([PAD, UNKNOWN, START, END, 4]) == [
        "<pad>", "<unknown>", "<start>", "<end>", "x",
    ]  # fmt: skip
    assert len(vocabulary) == 6
    assert vocabulary.encode(["<end>", "<unknown>", "<pad>"]) == [5, UNKNOWN, UNKNOWN]
    assert vocabulary.decode([5]) == ["<end>"]


def test_rare_and_new_symbols_are_unknown():
    vocabulary = Vocabulary.build(["aab"], min_count=2)
    assert vocabulary.encode("abz") == [4, UNKNOWN, UNKNOWN]
    assert "b" not in vocabulary


def test_it_survives_json():
    vocabulary = Vocabulary.build(["naïve", "na"])
    again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again.to_json() == vocabulary.to_json()
    assert again.encode("naïvex") == vocabulary.encode("naïvex")


def test_labels_have_no_special_symbols():
    labels = Vocabulary.build([["NOUN", "VERB", "NOUN"]], specials=())
    assert labels.encode(["NOUN", "VERB"]) == [0, 1]
    with pytest.raises(DataError) as error:
        labels.encode(["ADV"])
    assert str(error.value) == "unknown label 'ADV'; the training data has: NOUN, VERB"


def test_what_is_no_vocabulary_is_complained_about():
    with pytest.raises(DataError) as error:
        Vocabulary.from_json({"symbols": []})
    assert str(error.value) == (
        "this is no saved vocabulary: it needs the lists 'specials', 'symbols' and 'counts'"
    )


@pytest.mark.parametrize(
    "change", [{"counts": [1]}, {"counts": None}, {"counts": ["x"] * 3}, {"symbols": 3}]
)
def test_what_is_no_saved_vocabulary(change):
    values = Vocabulary.build([["a", "b", "c"]], specials=()).to_json()
    with pytest.raises(DataError, match="this is no saved vocabulary"):
        Vocabulary.from_json({**values, **change})


def test_symbols_may_be_known_that_do_not_occur():
    built = Vocabulary.build(["abb"], min_count=2, known=["z", "a"])
    assert built.symbols == ("b", "a", "z") and built.counts == (2, 1, 0)
