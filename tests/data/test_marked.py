from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.data.marked import marked
from cellwise.data.vocabulary import END, PAD, START

TEXTS = st.lists(st.lists(st.integers(END + 1, 50), max_size=6), max_size=5)


@given(TEXTS)
def test_marks_stand_ahead_of_what_is_read_and_behind_what_is_written(texts):
    found = marked(texts)
    assert (
        found.before.shape
        == found.after.shape
        == (max(map(len, texts), default=-1) + 1, len(texts))
    )
    for column, text in enumerate(texts):
        n = int(found.lengths[column])
        assert n == len(text) + 1
        assert found.before[:n, column].tolist() == [START, *text]
        assert found.after[:n, column].tolist() == [*text, END]
        assert (found.before[n:, column] == PAD).all()
        assert (found.after[n:, column] == PAD).all()
    assert found.n_symbols == sum(map(len, texts)) + len(texts)


def test_texts_go_to_a_device_together():
    moved = marked([[7, 8], [9]]).to(torch.device("meta"))
    assert {tensor.device.type for tensor in moved} == {"meta"}
