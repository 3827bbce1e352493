from __future__ import annotations

import tracemalloc

import pytest

from cellwise.data.lines import read_lines
from cellwise.data.mapped import MappedExamples, MappedLines, sizes_of
from cellwise.errors import DataError

MIB = 1 << 20


def write(tmp_path, content, name="a.txt"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"one\ntwo\n",
        b"one\ntwo",
        b"\n",
        b"\n\n x \n",
        b"one\r\ntwo\r\n\r\nfour\r",
        b"\xef\xbb\xbfone\ntwo",
        b"\xef\xbb\xbf",
        "Ähre\n日本語\n".encode(),
        b"a\x0bb\x0cc\x1cd\n\xc2\x85e\xe2\x80\xa8f\n",
        b"x" * 100 + b"\n" + b"y" * 50,
    ],
)
@pytest.mark.parametrize("block", [1, 7, 1 << 24])
def test_the_lines_are_those_that_are_read(tmp_path, monkeypatch, content, block):
    monkeypatch.setattr("cellwise.data.mapped.BLOCK_BYTES", block)
    path = write(tmp_path, content)
    done: list[int] = []
    found = MappedLines(path, advance=done.append)
    expected = [line for _, line in read_lines(path)]
    assert list(found) == expected
    assert len(found) == len(expected)
    assert found[-1] == expected[-1]
    assert found[::-1] == expected[::-1]
    assert sum(done) == sum(found.sizes) == len(content)
    assert list(found.filled()) == [i for i, line in enumerate(expected) if line.strip()]
    with pytest.raises(IndexError):
        found[len(expected)]


def message(make):
    with pytest.raises(DataError) as caught:
        make()
    return str(caught.value)


def test_bad_files_say_what_read_lines_says(tmp_path):
    for path in (tmp_path / "absent", tmp_path, write(tmp_path, b"")):
        assert message(lambda path=path: MappedLines(path)) == message(
            lambda path=path: list(read_lines(path))
        )
    path = write(tmp_path, b"fine\nalso \xe9 fine\n")
    lines = MappedLines(path)
    assert lines[0] == "fine"
    assert message(lambda: lines[1]) == message(lambda: list(read_lines(path)))
    assert message(lambda: lines[1]) == (
        f"{path}, line 2: byte 6 of the line (0xe9) is not UTF-8; convert the file to UTF-8 first"
    )


def test_a_compressed_file_is_refused(tmp_path):
    path = write(tmp_path, b"", "train.tsv.gz")
    assert message(lambda: MappedLines(path)) == (
        f"{path}: a compressed file cannot be mapped into memory; unpack it first "
        "(gunzip -k train.tsv.gz) and name train.tsv instead"
    )


def test_examples_are_made_when_they_are_asked_for(tmp_path):
    asked: list[int] = []

    def parse(number, line):
        asked.append(number)
        return number, line.upper()

    lines = MappedLines(write(tmp_path, b"a\n\nbcd\nef\n"))
    examples = MappedExamples(lines, parse, rows=lines.filled())
    assert len(examples) == 3
    assert list(examples.sizes) == [2, 4, 3]
    assert sizes_of(examples, lambda _: 1 // 0) == examples.sizes
    assert asked == []
    assert examples[1] == (3, "BCD")
    assert asked == [3]
    assert list(examples) == [(1, "A"), (3, "BCD"), (4, "EF")]
    assert examples[1:] == [(3, "BCD"), (4, "EF")]


def test_files_beside_each_other_give_an_example_a_line(tmp_path):
    left = MappedLines(write(tmp_path, b"a\nb\n", "left"))
    right = MappedLines(write(tmp_path, b"xx\nyyyy\n", "right"))
    pairs = MappedExamples(left, lambda number, *texts: (number, texts), beside=[right])
    assert list(pairs) == [(1, ("a", "xx")), (2, ("b", "yyyy"))]
    assert list(pairs.sizes) == [5, 7]
    short = MappedLines(write(tmp_path, b"x\n", "short"))
    assert message(lambda: MappedExamples(left, str, beside=[short])) == (
        f"{short.path} has 1 lines, but {left.path} has 2; line by line they must belong together"
    )


def test_the_fingerprint_is_of_content_and_choice_not_of_name(tmp_path):
    first, same = (MappedLines(write(tmp_path, b"a\nb\n", name)) for name in ("x", "y"))
    other = MappedLines(write(tmp_path, b"a\nc\n", "z"))
    assert first.fingerprint() == same.fingerprint() != other.fingerprint()
    prints = {MappedExamples(f, str).fingerprint() for f in (first, same, other)}
    prints |= {MappedExamples(first, str, rows=rows).fingerprint() for rows in ([0, 1], [1], [0])}
    assert len(prints) == 4


def test_what_does_not_know_its_sizes_is_measured():
    assert sizes_of(["a", "bcd"], len) == [1, 3]


def fill(path, n_bytes):
    """A file of so many bytes, in lines of about 1000."""
    block = b"".join(b"%06d %s\n" % (i, b"word " * 200) for i in range(1000))
    with path.open("wb") as file:
        for _ in range(-(-n_bytes // len(block))):
            file.write(block)


@pytest.mark.parametrize("n_bytes", [40 * MIB, pytest.param(200 * MIB, marks=pytest.mark.slow)])
def test_memory_holds_a_block_and_two_numbers_a_line(tmp_path, monkeypatch, n_bytes):
    monkeypatch.setattr("cellwise.data.mapped.BLOCK_BYTES", MIB)
    path = tmp_path / "large.txt"
    fill(path, n_bytes)
    tracemalloc.start()
    try:
        examples = MappedExamples(MappedLines(path), lambda _, line: line.split())
        n_words = sum(len(examples[i]) for i in range(0, len(examples), 50))
        assert sum(examples.sizes) == path.stat().st_size
        assert len(examples.fingerprint()) == 64
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n_words == 201 * -(-len(examples) // 50)
    assert peak < 5 * MIB + 60 * len(examples)
