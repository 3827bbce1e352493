import re

import pytest
import torch

from cellwise.errors import ConfigError
from cellwise.heads.adaptive_softmax import AdaptiveSoftmax
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]


def test_it_is_a_distribution_and_agrees_with_itself():
    torch.manual_seed(0)
    head = AdaptiveSoftmax(16, 30, (5, 12)).double()
    features = torch.randn(4, 3, 16, dtype=torch.float64)
    log_p = head.log_probabilities(features)
    assert log_p.shape == (4, 3, 30)
    sums = log_p.exp().sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums), **EXACT)
    right = torch.randint(30, (12,))
    wanted = log_p.flatten(0, 1).gather(1, right[:, None])[:, 0]
    torch.testing.assert_close(head(features.flatten(0, 1), right), wanted, **EXACT)


@pytest.mark.parametrize("cutoffs", [(), (5, 5), (7, 5), (0, 3), (5, 30)])
def test_cutoffs_ascend_within_the_vocabulary(cutoffs):
    cause = (
        f"model.cutoffs = {list(cutoffs)}: the symbols at which the adaptive softmax starts a "
        "cluster must ascend, from 1 to 29, of a vocabulary of 30"
    )
    with pytest.raises(ConfigError, match=re.escape(cause)):
        AdaptiveSoftmax(16, 30, cutoffs)


def test_mixed_precision_leaves_it_exact():
    torch.manual_seed(0)
    head = AdaptiveSoftmax(16, 30, (5, 12))
    features, right = torch.randn(12, 16), torch.randint(30, (12,))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = head(features.bfloat16(), right), head.log_probabilities(features.bfloat16())
    rounded = features.bfloat16().float()
    assert torch.equal(mixed[0], head(rounded, right))
    assert torch.equal(mixed[1], head.log_probabilities(rounded))


def test_clusters_without_numbers_are_refused():
    AdaptiveSoftmax(16, 30, (5, 10))
    with pytest.raises(ConfigError) as caught:
        AdaptiveSoftmax(15, 30, (5, 10))
    assert str(caught.value) == (
        "model.cutoffs = [5, 10]: the last of 2 clusters would have vectors of 15 / 4 ** 2 "
        "numbers, which is none: name fewer cutoffs, or let the model give 16 numbers a symbol "
        "and more"
    )
