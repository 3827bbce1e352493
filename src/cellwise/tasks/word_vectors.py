"""Word vectors that a model starts from: those of a file, in every task that knows words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cellwise.data.vectors import read_vectors
from cellwise.data.vocabulary import Vocabulary
from cellwise.errors import DataError

Table = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class WordVectors:
    """The words that a model knows, the size of their vectors, and those that a file gave."""

    words: Vocabulary
    size: int
    of_word: Table = field(default_factory=dict)

    @torch.no_grad()
    def put_into(self, embedding: nn.Embedding) -> None:
        """Set the vectors of an embedding whose rows are numbered as the words are."""
        numbers = self.words.encode(self.of_word)
        if numbers:
            rows = torch.from_numpy(np.stack(list(self.of_word.values())))
            embedding.weight[torch.tensor(numbers)] = rows.to(embedding.weight)


def take_vectors(
    words: Vocabulary,
    path: str,
    *,
    size: int,
    more_words: int = 0,
    key: str = "model.embedding_size",
) -> WordVectors:
    """The vectors that a file has for words, and `more_words` of its first words besides.

    Args:
        words: the words of the training data.
        path: a file of vectors, as `data.vectors` names it; empty: there is none.
        size: the numbers of a vector that the model has, or 0: as in the file.
        more_words: so many words from the start of the file are known, too, so that a word which
            the training data lacks has its vector.
        key: what the configuration calls the size.

    Raises:
        DataError: the file cannot be read, or its vectors have another size.
    """
    if not path:
        return WordVectors(words, size)
    vectors = read_vectors(Path(path), set(words.symbols), first=more_words)
    if size not in (0, vectors.size):
        raise DataError(
            f"{path}: its vectors have {vectors.size} numbers, "
            f"but {key} is {size}; 0 takes what the file has"
        )
    more = [word for word in vectors.of_word if word not in words]
    known = Vocabulary((*words.symbols, *more), (*words.counts, *(0 for _ in more)))
    return WordVectors(known, vectors.size, vectors.of_word)
