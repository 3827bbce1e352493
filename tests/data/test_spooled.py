from __future__ import annotations

import errno
import gc
import json
import os
import tempfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.brackets import parse
from cellwise.data.columns import TAGGED, TEXT_PAIR, Tagged, TextPair
from cellwise.data.dialogues import DIALOGUE
from cellwise.data.labelled import LABELLED, Labelled
from cellwise.data.spooled import Form, Spooled, held, mapped_file
from cellwise.data.trees import TREE
from cellwise.errors import DataError
from cellwise.tasks.classify_parts import WHOLE
from cellwise.tasks.pairs import PAIR, Pair
from cellwise.tasks.parse import SENTENCE, _sentence

TEXT = Form(str, str)
MIB = 1 << 20

(TREE_OF_IT,) = parse(["(S (NP (PRP it)) (VP (VBZ works)) (. .))"])
WRITTEN = [
    (TAGGED, Tagged(("a", ""), ("X", "O"))),
    (TEXT_PAIR, TextPair("a", "b")),
    (DIALOGUE, ("Hi.", "Bye.")),
    (LABELLED, Labelled("a b", ("x", "y"))),
    (WHOLE, (Labelled("a", ()), Labelled("b", ("x",)))),
    (TREE, TREE_OF_IT),
    (PAIR, Pair("a", ("b", "c"))),
    (SENTENCE, _sentence(TREE_OF_IT, "a.mrg")),
]


@pytest.mark.parametrize(("form", "item"), WRITTEN, ids=lambda given: type(given).__name__)
def test_what_is_read_is_what_was_written(form, item):
    again = form.read(json.loads(json.dumps(form.write(item))))
    assert again == item and repr(again) == repr(item)
    assert type(again) is type(item) and hash(again) == hash(item)


def test_a_line_of_two_files_stays_one():
    assert PAIR.read(PAIR.write(Pair("a", ("b",), alone=True))).alone


@given(st.lists(st.text(st.characters(), max_size=5), max_size=5))
def test_the_items_are_those_that_were_given(texts):
    found = Spooled(iter(texts), TEXT)
    assert list(found) == texts and len(found) == len(texts)
    assert [found[place] for place in range(-len(texts), len(texts))] == texts * 2
    assert found[::-1] == texts[::-1] and found[1:3] == texts[1:3]
    with pytest.raises(IndexError):
        found[len(texts)]


def test_the_fingerprint_is_of_the_items():
    prints = [Spooled(texts, TEXT).fingerprint() for texts in (["a", "b"], ["a", "b"], ["ab"], [])]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_memory_holds_them_or_a_file():
    assert held(iter("ab"), TEXT, in_memory=True) == ["a", "b"]
    spooled = held(iter("ab"), TEXT, in_memory=False)
    assert list(spooled) == ["a", "b"] and isinstance(spooled, Spooled)


def test_what_goes_wrong_while_items_come_is_told_as_it_is():
    def items():
        yield "a"
        raise DataError("line 2 is bad")

    with pytest.raises(DataError, match=r"^line 2 is bad$"):
        Spooled(items(), TEXT)


def test_a_full_folder_is_said_to_be_full(monkeypatch):
    class Full:
        def __init__(self, **_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, _):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(DataError) as caught:
        mapped_file([b"a"])
    assert str(caught.value) == (
        f"{tempfile.gettempdir()}: training data cannot be put there: No space left on device; "
        "name a folder with more room in the variable TMPDIR"
    )


def test_nothing_stays_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = Spooled(["a"], TEXT)
    assert found[0] == "a"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_bytes", [20 * MIB, pytest.param(200 * MIB, marks=pytest.mark.slow)])
def test_memory_holds_a_number_an_item(n_bytes):
    item, count = "word " * 200, n_bytes // 1000
    gc.collect()
    tracemalloc.start()
    try:
        found = Spooled((item for _ in range(count)), TEXT)
        assert len(found) == count and found[count // 2] == item
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MIB + 20 * count
