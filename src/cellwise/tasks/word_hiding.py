"""Words hidden in training, so that a model learns what to do with unknown ones.

Source: Kiperwasser and Goldberg 2016 (arXiv:1603.04351), section 4.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cellwise.data.vocabulary import UNKNOWN, Vocabulary


def hiding(words: Vocabulary, rate: float) -> Tensor:
    """For each word the probability that training hides it: a / (a + n); never for padding."""
    counts = torch.tensor([words.count(i) for i in range(len(words))], dtype=torch.float32)
    probability = rate / (rate + counts).clamp(min=1e-9)
    probability[: len(words.specials)] = 0.0
    return probability


def hide(words: Tensor, probability: Tensor) -> Tensor:
    """The words, numbers of any shape, some of them replaced by the unknown word."""
    hidden = torch.rand(words.shape, device=words.device) < probability[words]
    return words.masked_fill(hidden, UNKNOWN)
