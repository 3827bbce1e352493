"""Word vectors that a model starts from: those of a file, in every task that knows words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


@dataclass(frozen=True)
class VectorFile:
    """A file of vectors, and what is taken from it.

    Attributes:
        path: as `data.vectors` names it; empty: there is none.
        more_words: so many words from the start of the file are known, too, so that a word which
            the training data lacks has its vector.
        lowercase: whether the model knows words in lower case: then `rome` has the vector of
            `Rome` where the file has none of its own.
    """

    path: str
    more_words: int = 0
    lowercase: bool = False


def take_vectors(
    words: Vocabulary,
    file: VectorFile,
    *,
    size: int,
    key: str = "model.embedding_size",
    tell: Callable[[str], None] = lambda _: None,
) -> WordVectors:
    """The vectors that a file has for words.

    Args:
        words: the words of the training data.
        file: where vectors are.
        size: the numbers of a vector that the model has, or 0: as in the file.
        key: what the configuration calls the size.
        tell: is told how many words have a vector.

    Raises:
        DataError: the file cannot be read, its vectors have another size, or no word has one.
    """
    path = file.path
    if not path:
        return WordVectors(words, size)
    trained = [word for word, count in zip(words.symbols, words.counts, strict=True) if count]
    wanted = set(words.symbols)
    vectors = read_vectors(Path(path), wanted, first=file.more_words, lowercase=file.lowercase)
    if size not in (0, vectors.size):
        raise DataError(
            f"{path}: its vectors have {vectors.size} numbers, "
            f"but {key} is {size}; 0 takes what the file has"
        )
    n_given = sum(word in vectors.of_word for word in trained)
    if trained and not n_given:
        raise DataError(f"{path}: it has a vector of none of the {len(trained):,} training words")
    tell(f"{path}: {n_given:,} of {len(trained):,} training words have a vector")
    more = [word for word in vectors.of_word if word not in words]
    known = Vocabulary((*words.symbols, *more), (*words.counts, *(0 for _ in more)))
    return WordVectors(known, vectors.size, vectors.of_word)
