import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from cellwise.data.vectors import read_vectors
from cellwise.errors import DataError


def write(tmp_path, text):
    path = tmp_path / "vectors.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_wanted_words_and_the_first_ones_are_read(tmp_path):
    path = write(tmp_path, "the 1 2\nsea 3 4\nsings 5 6.5\n\nfar 7 8\n")
    vectors = read_vectors(path, {"far", "away"}, first=1)
    assert vectors.size == 2
    assert {word: row.tolist() for word, row in vectors.of_word.items()} == {
        "the": [1, 2],
        "far": [7, 8],
    }
    assert vectors.of_word["the"].dtype == np.float32


def test_the_first_line_of_word2vec_and_blanks_at_the_end_are_no_matter(tmp_path):
    path = tmp_path / "vectors.txt.gz"
    path.write_bytes(gzip.compress(b"2 3\nthe 1 2 3 \nsea 4 5 6 \n"))
    vectors = read_vectors(path, (), first=9)
    assert vectors.size == 3
    assert list(vectors.of_word) == ["the", "sea"]


def test_words_may_hold_blanks_and_come_twice(tmp_path):
    path = write(tmp_path, "a 1 2\n. . 3 4\na 5 6\n")
    found = read_vectors(path, {"a", ". ."}).of_word
    assert {word: row.tolist() for word, row in found.items()} == {"a": [1, 2], ". .": [3, 4]}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a 1 2\nb 3\n", "line 2: 'b' needs 2 numbers, as the first one has, not 1"),
        ("a 1 2\nb 3 x\n", "line 2: could not convert string to float: 'x'"),
        (
            "2 2\nnew york 1 2\nb 3\n",
            "line 3: 'b' needs 2 numbers, as the first line says, not 1",
        ),
        ("a 1 nan\n", "line 1: the vector holds a number that is none, or infinite"),
        ("alone\n", "line 1: 'alone' needs numbers, not 0"),
    ],
)
def test_complaints_name_the_line(tmp_path, text, complaint):
    path = write(tmp_path, text)
    with pytest.raises(DataError) as error:
        read_vectors(path, {"a", "b"})
    assert str(error.value) == f"{path}, {complaint}"


def test_a_file_without_vectors_is_refused(tmp_path):
    path = write(tmp_path, "3 2\n")
    with pytest.raises(DataError) as error:
        read_vectors(path, ())
    assert str(error.value) == f"{path}: there is no vector in it"
    with pytest.raises(DataError, match="there is no such file"):
        read_vectors(Path("nowhere.txt"), ())


MATRIX = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.float16)
WORDS = ["the", "sea", "the", "far"]


@pytest.mark.parametrize("beside", [False, True])
def test_a_matrix_in_safetensors_gives_the_same_as_text(tmp_path, beside):
    path = tmp_path / "vectors.safetensors"
    save_file({"vectors": MATRIX}, path, None if beside else {"words": json.dumps(WORDS)})
    if beside:
        (tmp_path / "vectors.txt").write_text("\n".join(WORDS) + "\n")
    found = read_vectors(path, {"far", "away"}, first=1)
    text = tmp_path / "same.txt"
    rows = zip(WORDS, MATRIX.tolist(), strict=True)
    text.write_text("".join(f"{word} {row[0]} {row[1]}\n" for word, row in rows))
    same = read_vectors(text, {"far", "away"}, first=1)
    assert found.size == same.size == 2
    assert list(found.of_word) == list(same.of_word) == ["the", "far"]
    for word, vector in same.of_word.items():
        np.testing.assert_array_equal(found.of_word[word], vector)
        assert found.of_word[word].dtype == np.float32


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        (
            {"a": MATRIX[0]},
            {},
            "{path}: it must hold one matrix [words, size], but holds a [2]",
        ),
        (
            {"a": MATRIX, "b": MATRIX[0]},
            {},
            "{path}: it must hold one matrix [words, size], but holds a [4, 2], b [2]",
        ),
        ({"a": MATRIX}, {"words": '["the"]'}, "{path}: 4 vectors, but 1 words"),
        (
            {"a": MATRIX},
            {"words": "the"},
            "{path}: the metadata 'words': no JSON: Expecting value",
        ),
        (
            {"a": MATRIX},
            {"words": '"the"'},
            "{path}: the metadata 'words' are no JSON list of texts",
        ),
        ({"a": MATRIX}, {}, "{words}: there is no such file"),
    ],
)
def test_what_is_no_matrix_of_words_is_refused(tmp_path, tensors, metadata, message):
    path = tmp_path / "vectors.safetensors"
    save_file(tensors, path, metadata)
    with pytest.raises(DataError) as caught:
        read_vectors(path, ())
    assert str(caught.value) == message.format(path=path, words=tmp_path / "vectors.txt")


def test_what_is_no_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "vectors.safetensors"
    with pytest.raises(DataError, match="there is no such file"):
        read_vectors(path, ())
    path.write_bytes(b"far 1 2")
    with pytest.raises(DataError, match="no safetensors file that can be read"):
        read_vectors(path, ())


def test_words_in_lower_case_have_the_vector_of_another_spelling(tmp_path):
    path = write(tmp_path, "Rome 1 1\nrome 2 2\nPARIS 3 3\nParis 4 4\nOslo 5 5\nSea 6 6\n")
    found = read_vectors(path, {"rome", "paris", "oslo"}, lowercase=True).of_word
    assert {word: vector.tolist() for word, vector in found.items()} == {
        "rome": [2, 2],
        "paris": [3, 3],
        "oslo": [5, 5],
    }
    assert not read_vectors(path, {"oslo"}).of_word
    assert list(read_vectors(path, (), first=3, lowercase=True).of_word) == ["rome", "paris"]


def test_the_first_line_of_word2vec_tells_the_size(tmp_path):
    path = write(tmp_path, "2 2\nnew york 1 2\nrome 3 4\n")
    found = read_vectors(path, {"new york", "rome"}).of_word
    assert {word: vector.tolist() for word, vector in found.items()} == {
        "new york": [1, 2],
        "rome": [3, 4],
    }


def test_a_matrix_may_be_of_any_kind_of_number(tmp_path):
    path = tmp_path / "vectors.safetensors"
    matrix = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.bfloat16)
    save_torch({"vectors": matrix}, path, {"words": '["sea", "far"]'})
    assert read_vectors(path, {"far"}).of_word["far"].tolist() == [3, 4]
