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
