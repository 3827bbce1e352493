from __future__ import annotations

from dataclasses import replace

import torch

from cellwise.bench.workload import SHORTEST, Workload

RAGGED = Workload("lstm", batch_size=40, hidden_size=3, n_steps=20, ragged=True)


def test_lengths_are_uniform_and_the_same_each_time():
    assert RAGGED.lengths == replace(RAGGED, threads=2).lengths
    assert min(RAGGED.lengths) == SHORTEST
    assert max(RAGGED.lengths) == 20
    assert list(RAGGED.lengths) == sorted(RAGGED.lengths, reverse=True)
    assert RAGGED.fill == RAGGED.n_rows / 800


def test_sequences_can_be_shorter_than_the_shortest():
    assert Workload("lstm", batch_size=2, n_steps=2, ragged=True).lengths == (2, 2)


def test_a_padded_batch_is_full():
    assert Workload("lstm", batch_size=2, n_steps=3).fill == 1


def test_layers_are_the_same_each_time_and_leave_the_seed_alone():
    torch.manual_seed(7)
    first, second = RAGGED.layer(), RAGGED.layer()
    drawn = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(1))
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_the_packed_batch_holds_what_the_mask_shows():
    live = RAGGED.padded()[RAGGED.mask().expand(-1, -1, 3)]
    assert torch.equal(live, RAGGED.packed().data.flatten())
