import math

import torch

from cellwise.losses.cross_entropy import cross_entropy
from tests.tolerances import TOLERANCE


def test_it_sums_over_what_is_not_padding():
    scores = torch.zeros(2, 2, 4, dtype=torch.float64)
    right = torch.tensor([[1, 2], [3, 0]])
    expected = torch.tensor(3 * math.log(4), dtype=torch.float64)
    found = cross_entropy(scores, right, ignore=0)
    torch.testing.assert_close(found, expected, **TOLERANCE[torch.float64]["exact"])


def test_nothing_but_padding_costs_nothing():
    assert cross_entropy(torch.ones(2, 1, 3), torch.full((2, 1), -1), ignore=-1) == 0


def test_weights_are_those_of_the_right_symbols():
    scores = torch.tensor([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]], dtype=torch.float64)
    right = torch.tensor([0, 1, -1])
    weights = torch.tensor([3.0, 0.5], dtype=torch.float64)
    nats = torch.log_softmax(scores, dim=-1)
    expected = -(3.0 * nats[0, 0] + 0.5 * nats[1, 1])
    found = cross_entropy(scores, right, ignore=-1, weights=weights)
    torch.testing.assert_close(found, expected, **TOLERANCE[torch.float64]["exact"])
