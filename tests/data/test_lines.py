import gzip

import pytest

from cellwise.data.lines import fraction, read_lines
from cellwise.errors import DataError


def write(path, content: bytes):
    path.write_bytes(content)
    return path


def test_lines_are_numbered_and_lose_their_ends(tmp_path):
    path = write(tmp_path / "a.txt", "one\r\n\nčtyři".encode())
    assert list(read_lines(path)) == [(1, "one"), (2, ""), (3, "čtyři")]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = write(tmp_path / "a.txt", b"\xef\xbb\xbfone\n")
    assert list(read_lines(path)) == [(1, "one")]


def test_gzip_is_read_by_its_name(tmp_path):
    path = write(tmp_path / "a.txt.gz", gzip.compress(b"one\ntwo\n"))
    assert list(read_lines(path)) == [(1, "one"), (2, "two")]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.txt", b"", "the file is empty"),
        (
            "a.txt",
            b"good\nb\xe9d\n",
            "line 2: byte 2 of the line (0xe9) is not UTF-8; convert the file to UTF-8 first",
        ),
        ("a.gz", b"plain text", "the file is no intact gzip file: Not a gzipped file (b'pl')"),
        (
            "a.gz",
            gzip.compress(b"one\n" * 50, mtime=0)[:-12],
            "the file is no intact gzip file: Compressed file ended before the end-of-stream "
            "marker was reached",
        ),
    ],
)
def test_complaints_name_file_and_cause(tmp_path, name, content, complaint):
    path = write(tmp_path / name, content)
    with pytest.raises(DataError) as error:
        list(read_lines(path))
    separator = ", " if complaint.startswith("line") else ": "
    assert str(error.value) == f"{path}{separator}{complaint}"


def test_a_missing_file_and_a_folder_are_complained_about(tmp_path):
    with pytest.raises(DataError) as error:
        list(read_lines(tmp_path / "none.txt"))
    assert str(error.value) == f"{tmp_path / 'none.txt'}: there is no such file"
    with pytest.raises(DataError) as error:
        list(read_lines(tmp_path))
    assert str(error.value) == f"{tmp_path}: the file cannot be read: Is a directory"


def test_fractions_are_the_same_for_ever():
    fractions = [round(fraction(word), 6) for word in ("a", "b", "cellwise")]
    assert fractions == [0.791374, 0.242735, 0.437917]


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8", "U8"])
def test_a_mark_of_utf_8_is_left_out_however_that_is_called(tmp_path, encoding):
    path = write(tmp_path / "a.txt", "\ufeffone\n\ufefftwo\n".encode())
    assert [line for _, line in read_lines(path, encoding=encoding)] == ["one", "\ufefftwo"]


def test_half_a_character_is_refused(tmp_path):
    path = write(tmp_path / "a.txt", b"one\n+2AA-\n")
    with pytest.raises(DataError) as caught:
        list(read_lines(path, encoding="utf-7"))
    assert str(caught.value) == f"{path}, line 2: there is half a character, U+D800"
