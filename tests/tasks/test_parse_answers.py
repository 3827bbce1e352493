import math

from cellwise.tasks.parse_answers import parse_answer


def test_the_tree_its_phrases_and_what_is_drawn():
    answer = parse_answer(
        "dogs bark",
        ("dogs", "bark"),
        "(S (NP XX )NP XX )S".split(),
        log_probability=-1.5,
        top="TOP",
    )
    assert answer.text == "(TOP (S (NP (XX dogs)) (XX bark)))"
    assert answer.record == {
        "source": "dogs bark",
        "words": ["dogs", "bark"],
        "tree": answer.text,
        "phrases": [
            {"first": 0, "last": 1, "label": "S"},
            {"first": 0, "last": 0, "label": "NP"},
        ],
        "log_probability": -1.5,
    }
    assert answer.labelled is not None
    assert answer.labelled.tree.labels == ("S", "NP", "", "")
    assert answer.labelled.probabilities == ()
    assert answer.given


def test_without_symbols_there_is_no_tree():
    answer = parse_answer("", (), (), log_probability=math.nan, top="")
    assert (answer.text, answer.labelled) == ("", None)
    assert answer.record["log_probability"] is None
