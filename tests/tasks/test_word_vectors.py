from __future__ import annotations

import pytest
import torch
from torch import nn

from cellwise.data.vocabulary import Vocabulary
from cellwise.errors import DataError
from cellwise.tasks.word_vectors import VectorFile, take_vectors


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("sea 1 2 3\nsky 4 5 6\nsun 7 8 9\n")
    return str(path)


def test_a_file_gives_vectors_to_known_words_and_brings_some_of_its_own(path):
    taken = take_vectors(Vocabulary(["sun", "moon"]), VectorFile(path, more_words=1), size=0)
    assert taken.words.symbols == ("sun", "moon", "sea")
    embedding = nn.Embedding(len(taken.words), taken.size)
    before = embedding.weight.detach().clone()
    taken.put_into(embedding)
    sun, moon, sea = taken.words.encode(["sun", "moon", "sea"])
    assert embedding.weight[sun].tolist() == [7.0, 8.0, 9.0]
    assert embedding.weight[sea].tolist() == [1.0, 2.0, 3.0]
    assert torch.equal(embedding.weight[moon], before[moon])


def test_without_a_file_nothing_is_set():
    words = Vocabulary(["sun"])
    taken = take_vectors(words, VectorFile(""), size=4)
    embedding = nn.Embedding(len(words), taken.size)
    before = embedding.weight.detach().clone()
    taken.put_into(embedding)
    assert taken.words is words
    assert torch.equal(embedding.weight, before)


def test_another_size_is_refused(path):
    with pytest.raises(DataError) as caught:
        take_vectors(Vocabulary(["sun"]), VectorFile(path), size=10)
    assert str(caught.value) == (
        f"{path}: its vectors have 3 numbers, but model.embedding_size is 10; "
        "0 takes what the file has"
    )


def test_it_is_told_how_many_words_have_a_vector(path):
    said: list[str] = []
    words = Vocabulary(["sun", "moon"], [2, 1])
    take_vectors(words, VectorFile(path), size=0, tell=said.append)
    assert said == [f"{path}: 1 of 2 training words have a vector"]
    with pytest.raises(DataError) as caught:
        take_vectors(Vocabulary(["moon"], [1]), VectorFile(path), size=0)
    assert str(caught.value) == f"{path}: it has a vector of none of the 1 training words"
