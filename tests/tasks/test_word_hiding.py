import torch

from cellwise.data.vocabulary import PAD, UNKNOWN, Vocabulary
from cellwise.tasks.word_hiding import hide, hiding

WORDS = Vocabulary(["often", "once", "never"], [3, 1, 0])


def test_rare_words_are_hidden_more_often_and_special_ones_never():
    assert hiding(WORDS, 1.0).tolist() == [0, 0, 0, 0, 0.25, 0.5, 1]
    assert not hiding(WORDS, 0.0).any()


def test_hidden_words_are_unknown_words():
    words = torch.tensor([PAD, 4, 6])
    assert hide(words, torch.tensor([0.0, 0, 0, 0, 0, 0, 1])).tolist() == [PAD, 4, UNKNOWN]
