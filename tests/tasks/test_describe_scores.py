import importlib.util
import math

import pytest

from cellwise.errors import ConfigError
from cellwise.tasks.describe_scores import caption_scores, signature

REFERENCES = [["the cat is on the mat", "there is a cat on the mat"], ["a dog"]]


def test_bleu_of_the_example_in_the_paper():
    """Papineni et al. 2002, section 2.1: 'the the the …' has a clipped precision of 2/7."""
    scores = caption_scores(
        ["the the the the the the the"],
        [["the cat is on the mat", "there is a cat on the mat"]],
        lowercase=True,
    )
    assert scores["bleu_1"] == pytest.approx(100 * 2 / 7)


def test_orders_and_brevity_by_hand():
    scores = caption_scores(["a cat on the mat", "a dog"], REFERENCES, lowercase=True)
    # 7 of 7 words, 5 of 5 pairs, 3 of 3 triples and 2 of 2 fours are right; 7 words stand for 8.
    brevity = math.exp(1 - 8 / 7)
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu"):
        assert scores[name] == pytest.approx(100 * brevity)
    assert scores["distinct_captions"] == 2


def test_case_counts_where_it_is_kept():
    found = ["There is a cat on the mat", "A dog"]
    assert caption_scores(found, REFERENCES, lowercase=True)["bleu"] == pytest.approx(100)
    assert caption_scores(found, REFERENCES, lowercase=False)["bleu"] < 90


def test_the_signature_says_what_was_computed():
    said = signature(REFERENCES, lowercase=True)
    assert said.startswith("nrefs:var|case:lc|eff:no|tok:13a|smooth:exp|version:")
    assert signature([["a b", "a c"]], lowercase=False).startswith("nrefs:2|case:mixed|")


def test_without_sacrebleu_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as error:
        caption_scores(["a"], [["a"]], lowercase=True)
    assert str(error.value) == "BLEU needs the library sacrebleu: pip install 'cellwise[train]'"
