"""Levels of known lengths: the same as those that torch works out."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence

from cellwise.structures.batch import (
    levels_of,
    padded_of_rows,
    ragged_levels,
    rows_of_padded,
)
from cellwise.structures.ragged import known_levels, packed_levels

N_STEPS = 5

lengths = st.lists(st.integers(0, N_STEPS), min_size=1, max_size=6)


@given(lengths)
def test_rows_lie_where_torch_puts_them(found: list[int]) -> None:
    known = known_levels(tuple(found), N_STEPS)
    traced = ragged_levels(torch.tensor(found), sum(found), N_STEPS)
    assert (known.n_sequences, known.n_rows, known.even) == (len(found), sum(found), False)
    for name in ("sizes", "order", "offsets", "level", "place", "live", "rank"):
        assert torch.equal(getattr(known, name), getattr(traced, name)), name


@given(lengths)
def test_batches_and_gradients_go_there_and_back(found: list[int]) -> None:
    known, n = known_levels(tuple(found), N_STEPS), torch.tensor(found)
    traced = ragged_levels(n, sum(found), N_STEPS)
    results = []
    for levels in (known, traced):
        x = torch.arange(1.0, 1 + 2 * N_STEPS * len(found)).reshape(N_STEPS, len(found), 2)
        x.requires_grad_()
        rows = levels.reversed(rows_of_padded(x, levels))
        y = padded_of_rows(rows, levels, n, N_STEPS)
        (d_x,) = torch.autograd.grad(y, x, torch.linspace(-1, 1, y.numel()).reshape(y.shape))
        results.append((rows, y, d_x))
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours, theirs)


@given(lengths, st.booleans())
def test_packed_sequences_lie_where_torch_puts_them(found: list[int], sorted_: bool) -> None:
    found = [max(1, n) for n in found]
    if sorted_:
        found.sort(reverse=True)
    pieces = [torch.full((n, 2), float(n)) for n in found]
    x = pack_sequence(pieces, enforce_sorted=sorted_)
    order = x.sorted_indices
    places = None if order is None else tuple(order.tolist())
    known = packed_levels(tuple(x.batch_sizes.tolist()), places)
    traced = levels_of(x.batch_sizes, len(found), len(x.data), order)
    assert (known.n_sequences, known.n_rows, known.even) == (len(found), sum(found), False)
    for name in ("sizes", "order", "offsets", "level", "place", "live", "rank"):
        ours, theirs = getattr(known, name), getattr(traced, name)
        assert (ours is theirs is None) or torch.equal(ours, theirs), name
    assert torch.equal(known.reversed(x.data), traced.reversed(x.data))


def test_levels_that_were_first_met_in_inference_mode_train() -> None:
    x = torch.ones(N_STEPS, 3, 2, requires_grad=True)
    with torch.inference_mode():
        levels = known_levels((1, 0, 4), N_STEPS)
        levels.reversed(rows_of_padded(x, levels))
    levels.reversed(rows_of_padded(x, levels)).sum().backward()
    assert x.grad is not None
    assert x.grad.sum(0)[:, 0].tolist() == [1, 0, 4]
