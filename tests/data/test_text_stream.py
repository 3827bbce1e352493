import re
from itertools import pairwise

import numpy as np
import pytest

from cellwise.data import text_stream
from cellwise.data.text_stream import Text, TextStream, windows_in_lanes
from cellwise.data.vocabulary import END
from cellwise.errors import DataError


def write(folder, *lines, name="a.txt"):
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def encode(line):
    return [*(ord(c) for c in line), END]


def stream_of(folder, *lines, size=3, **options):
    return TextStream(Text((write(folder, *lines),)), encode, size, **options)


def test_a_text_is_its_lines_again_and_again(tmp_path):
    text = Text((write(tmp_path, "a", "", "b c"), write(tmp_path, "d", name="b.txt")))
    assert list(text) == list(text) == ["a", "", "b c", "d"]
    assert list(Text(text.paths, 1, 3)) == ["", "b c"]


def test_a_file_that_cannot_be_read_is_told_before_it_is_needed(tmp_path):
    with pytest.raises(DataError, match=r"no\.txt: there is no such file"):
        Text((write(tmp_path, "a"), tmp_path / "no.txt")).check()


def test_a_text_is_split_at_line_ends_by_characters(tmp_path):
    text = Text((write(tmp_path, *["123456789"] * 20),))
    rest, dev, test = text.split(0.1, 0.25)
    assert [len(list(part)) for part in (rest, dev, test)] == [13, 2, 5]
    assert [*rest, *dev, *test] == list(text)
    uneven = Text((write(tmp_path, "123456789", *"abcde"),))
    assert [list(part) for part in uneven.split(0.5)] == [["123456789"], list("abcde")]


def test_a_text_too_short_to_be_split_is_an_error(tmp_path):
    path = write(tmp_path, "a", "b")
    cause = (
        f"{path}: too few lines (2) to split off 0.1 and 0.1 of their characters; "
        "name files as data.dev and data.test"
    )
    with pytest.raises(DataError, match=re.escape(cause)):
        Text((path,)).split(0.1, 0.1)


def test_the_numbers_begin_with_the_end_of_a_line(tmp_path):
    stream = stream_of(tmp_path, "ab", "", "c")
    assert stream.numbers.tolist() == [END, ord("a"), ord("b"), END, END, ord("c"), END]
    assert stream.numbers.dtype == np.int32
    assert stream.n_symbols == 6
    assert stream.characters == len("ab\n\nc\n")


def test_windows_follow_one_another_and_the_last_may_be_shorter(tmp_path):
    stream = stream_of(tmp_path, "abcd", "ef", size=3)
    assert [(w.start, w.stop) for w in stream] == [(0, 3), (3, 6), (6, 8)]
    assert list(stream.sizes) == [3, 3, 2]
    assert len(stream) == 3
    assert stream[-1] == stream[2] == stream[1:][1]
    assert all(window.stream is stream for window in stream)
    assert list(stream_of(tmp_path, "abcde", size=3).sizes) == [3, 3]
    with pytest.raises(IndexError):
        stream[3]


def test_a_mapped_stream_is_that_in_memory(tmp_path, monkeypatch):
    lines = [f"line {i}" for i in range(50)]
    inside = stream_of(tmp_path, *lines)
    monkeypatch.setattr(text_stream, "LINES_AT_ONCE", 7)
    mapped = stream_of(tmp_path, *lines, in_memory=False)
    assert inside.numbers.flags.owndata and not mapped.numbers.flags.owndata
    assert mapped.numbers.tolist() == inside.numbers.tolist()
    assert mapped.characters == inside.characters


def test_a_text_without_symbols_is_an_error(tmp_path):
    path = write(tmp_path, "", "")
    stream = TextStream(Text((path,)), lambda line: list(map(ord, line)), 3)
    with pytest.raises(DataError, match=r"a\.txt: there is no symbol in it, only blank lines"):
        len(stream)


def test_the_fingerprint_is_of_the_lines_and_the_windows(tmp_path):
    before = stream_of(tmp_path, "a", "b").fingerprint()
    assert stream_of(tmp_path, "a", "b").fingerprint() == before
    assert stream_of(tmp_path, "a", "b", size=4).fingerprint() != before
    assert stream_of(tmp_path, "ab").fingerprint() != before


@pytest.mark.parametrize("n_lanes", [1, 2, 3, 7])
@pytest.mark.parametrize("n_windows", [1, 2, 5, 6, 12, 13])
def test_lanes_hold_every_window_once_and_each_goes_on_in_its_row(n_windows, n_lanes):
    batches = windows_in_lanes(n_windows, n_lanes)
    assert sorted(i for batch in batches for i in batch) == list(range(n_windows))
    for before, after in pairwise(batches):
        assert after == [i + 1 for i in before[: len(after)]]
    assert all(len(batch) == min(n_lanes, n_windows) for batch in batches[:-1])
