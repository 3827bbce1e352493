import math

import pytest
import torch

from cellwise.heads.scheduled_sampling import ScheduledSampling, mixed


def test_linear_growth_ends_at_the_probability():
    sampling = ScheduledSampling(0.4, "linear", 50)
    assert [sampling.rate(n) for n in (0, 25, 50, 5000)] == pytest.approx([0, 0.2, 0.4, 0.4])


def test_inverse_sigmoid_growth_is_bengios():
    sampling = ScheduledSampling(0.5, "inverse_sigmoid", 20)
    for n in (0, 7, 60, 200):
        epsilon = 20 / (20 + math.exp(n / 20))
        assert sampling.rate(n) == pytest.approx(0.5 * (1 - epsilon))
    assert sampling.rate(10**9) == pytest.approx(0.5)


def test_it_counts_the_batches_of_training_alone():
    sampling = ScheduledSampling(1.0, "linear", 4)
    assert [sampling.next_rate() for _ in range(3)] == [0.0, 0.25, 0.5]
    assert sampling.eval().next_rate() == 0.0
    assert sampling.train().next_rate() == 0.75


def test_the_count_is_saved():
    sampling, again = (ScheduledSampling(1.0, "linear", 4) for _ in range(2))
    sampling.next_rate()
    again.load_state_dict(sampling.state_dict())
    assert again.next_rate() == 0.25


def test_own_symbols_stand_where_they_should_and_are_drawn_from_the_logits():
    right = torch.tensor([7, 8, 9])
    own = torch.tensor([True, False, True])
    certain = torch.full((2, 10), -torch.inf)
    certain[0, 3], certain[1, 5] = 0.0, 0.0
    assert mixed(right, certain, own).tolist() == [3, 8, 5]
    torch.manual_seed(0)
    logits = torch.tensor([0.2, 0.8]).log().expand(10_000, 2)
    drawn = mixed(torch.full((10_000,), 9), logits, torch.ones(10_000, dtype=torch.bool))
    assert 0.78 < drawn.double().mean() < 0.82
