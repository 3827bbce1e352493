from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.data.symbols import Symbols
from cellwise.errors import DataError

TEXTS = ["Ein Mann läuft, und eine Frau läuft auch.", "Zwei Männer laufen (schnell)!"] * 5


@pytest.fixture(scope="module")
def learnt():
    return Symbols.fit("subwords", TEXTS, n_subwords=60)


def test_subwords_give_the_text_back(learnt):
    for text in TEXTS:
        assert learnt.join(learnt.cut(text)) == text


@given(st.text(alphabet="Einläufauch ,.()!Zwr", max_size=30))
def test_subwords_of_any_text_in_known_letters_give_it_back_but_for_runs_of_blanks(text):
    symbols = Symbols.fit("subwords", TEXTS, n_subwords=60)
    assert symbols.join(symbols.cut(text)) == " ".join(text.split())


def test_subwords_are_no_more_than_asked_for_and_more_learn_longer_ones(learnt):
    longer = Symbols.fit("subwords", TEXTS, n_subwords=200)
    assert len({piece for text in TEXTS for piece in learnt.cut(text)}) <= 60
    assert len(longer.cut(TEXTS[0])) < len(learnt.cut(TEXTS[0]))


@given(st.text(alphabet="ab 12,.:!?'-()$\u0301", max_size=20))
def test_joined_tokens_are_cut_as_they_were(text):
    symbols = Symbols("tokens")
    assert symbols.cut(symbols.join(symbols.cut(text))) == symbols.cut(text)


def test_words_that_come_once_stay_in_pieces_of_which_new_words_consist():
    symbols = Symbols.fit("subwords", ["the sea sings", "the sea rests", "once"], n_subwords=500)
    assert symbols.cut("the sea") == ("▁the", "▁sea")
    assert len(symbols.cut("once")) > 2
    assert "<unknown>" not in symbols.cut("scents neither")
    assert {*symbols.cut("scents neither")} <= {*symbols.learnt}
    assert "<unknown>" not in symbols.learnt and Symbols("words").learnt == ()


def test_unknown_letters_are_unknown_symbols(learnt):
    assert "<unknown>" in learnt.cut("日本")


def test_case_can_be_folded():
    assert Symbols("words", lowercase=True).cut("Ein MANN") == ("ein", "mann")
    folded = Symbols.fit("subwords", TEXTS, n_subwords=60, lowercase=True)
    assert folded.join(folded.cut(TEXTS[0])) == TEXTS[0].lower()


def test_symbols_are_saved_as_json(learnt):
    again = Symbols.from_json(json.loads(json.dumps(learnt.to_json())))
    assert again.cut(TEXTS[0]) == learnt.cut(TEXTS[0])
    assert Symbols.from_json(Symbols("tokens", lowercase=True).to_json()).cut("A b") == ("a", "b")
    with pytest.raises(DataError, match="these are no saved symbols"):
        Symbols.from_json({"unit": "words"})


@pytest.mark.parametrize(
    "text",
    [
        "हिन्दी भाषा",
        "e\u0301te\u0301",
        "ไทยน้ำ",
        "שָׁלוֹם",
        "क्\u200dष",
        "It cost $12 at 10:30 (really)!",
        "Es kostet 5 € und mehr.",
        "It was in 1999. 20 people came; rooms 100, 200 and 300 at 10: 3 left.",
    ],
)
def test_tokens_of_any_script_are_words_and_come_back(text):
    symbols = Symbols("tokens")
    assert symbols.join(symbols.cut(text)) == text
    if not any(sign in "€.!" for sign in text):
        assert symbols.cut(text) == tuple(text.split())
