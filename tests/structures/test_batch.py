"""Batches as rows: there and back, in every form, and what is refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.errors import StructureError
from cellwise.structures.batch import (
    checked_lengths,
    even_levels,
    padded_of_rows,
    ragged_levels,
    rows_of_padded,
)

N_STEPS = 5


def padded(n_sequences: int) -> torch.Tensor:
    """[T, B, 1] with a different number in every place."""
    return torch.arange(1.0, 1 + N_STEPS * n_sequences).reshape(N_STEPS, n_sequences, 1)


@given(st.lists(st.integers(0, N_STEPS), min_size=1, max_size=6))
def test_there_and_back(lengths: list[int]) -> None:
    x, n = padded(len(lengths)), torch.tensor(lengths)
    levels = ragged_levels(n, N_STEPS * len(lengths), N_STEPS)
    rows = rows_of_padded(x, levels)
    back = padded_of_rows(rows, levels, n, N_STEPS)
    live = torch.arange(N_STEPS)[:, None] < n[None, :]
    assert torch.equal(back, torch.where(live[..., None], x, 0.0))
    states = torch.randn(len(lengths), 2)
    assert torch.equal(levels.restored(levels.sorted(states)), states)


@given(st.lists(st.integers(0, N_STEPS), min_size=1, max_size=6))
def test_reversing_once_reverses_and_twice_is_the_identity(lengths: list[int]) -> None:
    x, n = padded(len(lengths)), torch.tensor(lengths)
    levels = ragged_levels(n, N_STEPS * len(lengths), N_STEPS)
    rows = rows_of_padded(x, levels)
    once = levels.reversed(rows)
    assert torch.equal(levels.reversed(once), rows)
    back = padded_of_rows(once, levels, n, N_STEPS)
    for b, length in enumerate(lengths):
        assert torch.equal(back[:length, b], x[:length, b].flip(0))


def test_even_batches_are_reversed_too() -> None:
    levels = even_levels(N_STEPS, 3, torch.device("cpu"))
    rows = rows_of_padded(padded(3), levels)
    back = padded_of_rows(levels.reversed(rows), levels, None, N_STEPS)
    assert torch.equal(back, padded(3).flip(0))
    assert torch.equal(levels.place, torch.arange(3).repeat(N_STEPS))


@pytest.mark.parametrize(
    ("lengths", "text"),
    [
        (torch.tensor([1, 2, 3]), "one entry a sequence, that is shape [2], but have shape [3]"),
        (torch.tensor([1.0, 2.0]), "lengths must be whole numbers, but are torch.float32"),
        (torch.tensor([1, 6]), "lengths[1] is 6, but must be from 0 to 5, the number of steps"),
        (torch.tensor([-1, 2]), "lengths[0] is -1, but must be from 0 to 5"),
    ],
)
def test_bad_lengths(lengths: torch.Tensor, text: str) -> None:
    with pytest.raises(StructureError) as caught:
        checked_lengths(lengths, N_STEPS, 2)
    assert text in str(caught.value)
