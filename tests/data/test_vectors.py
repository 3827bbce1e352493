import gzip
from pathlib import Path

import numpy as np
import pytest

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
