import torch

from cellwise.data.vocabulary import PAD, UNKNOWN
from cellwise.tasks.parse_words import Forgetting, numbers_of, words_and_forms

SENTENCES = [["the", "dog", "barks"], ["the", "Runx1", "the", "dog"]]


def test_rare_words_are_known_by_their_form_alone():
    known = words_and_forms(SENTENCES, min_count=2)
    assert known.symbols == ("the", "dog", "<unknown-Cap-digit>", "<unknown-s>")
    assert known.decode(numbers_of(["the", "barks", "Abc5"], known)) == [
        "the",
        "<unknown-s>",
        "<unknown-Cap-digit>",
    ]


def test_a_form_that_training_had_not_is_the_unknown_word():
    known = words_and_forms(SENTENCES, min_count=1)
    assert numbers_of(["99"], known) == [UNKNOWN]


def test_rare_words_are_replaced_by_their_form_in_training():
    known = words_and_forms([["the"] * 9999 + ["barks"]], min_count=1)
    forgetting = Forgetting(known, 1.0)
    words = torch.tensor([[*known.encode(["the", "barks", "<unknown-s>"]), PAD]]).expand(4000, 4)
    found = forgetting(words)
    the, barks, form, pad = (known.decode(column.unique().tolist()) for column in found.T)
    assert set(the) <= {"the", "<unknown>"}
    assert barks == ["barks", "<unknown-s>"]
    assert (form, pad) == (["<unknown-s>"], ["<pad>"])
    share = float((found[:, 1] != words[:, 1]).float().mean())
    assert 0.45 < share < 0.55  # seen once: 1 / (1 + 1), of 4,000 draws
    assert torch.equal(forgetting.eval()(words), words)


def test_nothing_is_replaced_at_rate_zero():
    known = words_and_forms(SENTENCES, min_count=1)
    words = torch.tensor(known.encode(["the", "dog", "barks"])).expand(1000, 3)
    assert torch.equal(Forgetting(known, 0.0)(words), words)
