import math

import torch

from cellwise.losses.binary_cross_entropy import binary_cross_entropy
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
SCORES = torch.tensor([[0.5, -2.0, 0.0], [3.0, 1.0, -1.0]], dtype=torch.float64)
RIGHT = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)


def by_hand(smoothing=0.0, weights=(1.0, 1.0, 1.0)):
    total = 0.0
    for scores, rights in zip(SCORES.tolist(), RIGHT.tolist(), strict=True):
        for score, right, weight in zip(scores, rights, weights, strict=True):
            p = 1 / (1 + math.exp(-score))
            wanted = 1 - smoothing / 2 if right else smoothing / 2
            total -= weight * wanted * math.log(p) + (1 - wanted) * math.log(1 - p)
    return torch.tensor(total, dtype=torch.float64)


def test_it_is_the_sum_over_texts_and_labels():
    torch.testing.assert_close(binary_cross_entropy(SCORES, RIGHT), by_hand(), **EXACT)


def test_targets_are_smoothed_towards_one_half():
    found = binary_cross_entropy(SCORES, RIGHT, smoothing=0.2)
    torch.testing.assert_close(found, by_hand(smoothing=0.2), **EXACT)


def test_weights_are_those_of_right_labels():
    weights = (3.0, 0.5, 2.0)
    tensor = torch.tensor(weights, dtype=torch.float64)
    found = binary_cross_entropy(SCORES, RIGHT, weights=tensor)
    torch.testing.assert_close(found, by_hand(weights=weights), **EXACT)


def test_extreme_scores_cost_a_finite_sum():
    found = binary_cross_entropy(torch.tensor([[1000.0]]), torch.tensor([[0.0]]))
    assert found == 1000.0
