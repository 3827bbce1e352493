"""The words of a parser: a vocabulary of words and of forms, which stand for unknown words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from cellwise.data.vocabulary import SPECIALS, Vocabulary
from cellwise.data.word_forms import form_of, is_form
from cellwise.tasks.word_hiding import hiding


def words_and_forms(sentences: Iterable[Sequence[str]], *, min_count: int) -> Vocabulary:
    """The words that occur often enough, and the forms of all words, which count as never seen."""
    every = Vocabulary.build(sentences)
    kept = [
        (word, count)
        for word, count in zip(every.symbols, every.counts, strict=True)
        if count >= min_count
    ]
    forms = sorted({form_of(word) for word in every.symbols} - set(SPECIALS))
    kept += [(form, 0) for form in forms]
    return Vocabulary([word for word, _ in kept], [count for _, count in kept])


def numbers_of(words: Sequence[str], known: Vocabulary) -> list[int]:
    """The numbers of words; of one that is not known, the number of its form."""
    return known.encode(word if word in known else form_of(word) for word in words)


class Forgetting(nn.Module):
    """Words replaced by their forms in training, rare ones more often.

    So a network learns what forms mean. A word seen n times is replaced with probability
    rate / (rate + n).

    Source: Kiperwasser and Goldberg 2016 (arXiv:1603.04351), section 4, with forms in the place of
    one unknown word.
    """

    forms: Tensor
    probability: Tensor

    def __init__(self, known: Vocabulary, rate: float):
        super().__init__()
        names = known.decode(range(len(known)))
        probability = hiding(known, rate)
        probability[torch.tensor([is_form(name) for name in names])] = 0.0
        forms = torch.tensor(known.encode(form_of(name) for name in names))
        self.register_buffer("forms", forms, persistent=False)
        self.register_buffer("probability", probability, persistent=False)

    def forward(self, words: Tensor) -> Tensor:
        """The words, numbers of any shape, some of them replaced; all the same in eval mode."""
        if not self.training:
            return words
        gone = torch.rand(words.shape, device=words.device) < self.probability[words]
        return torch.where(gone, self.forms[words], words)
