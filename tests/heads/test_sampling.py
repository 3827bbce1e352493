import re

import pytest
import torch

from cellwise.errors import ConfigError
from cellwise.heads.sampling import Sampling
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
LOG_P = torch.tensor([[0.1, 0.4, 0.2, 0.3]], dtype=torch.float64).log()


def close(found, *wanted):
    torch.testing.assert_close(found, torch.tensor([wanted], dtype=torch.float64), **EXACT)


def test_all_symbols_as_they_are():
    close(Sampling().probabilities(LOG_P), 0.1, 0.4, 0.2, 0.3)


def test_the_temperature_is_a_power_of_probabilities():
    total = 0.01 + 0.16 + 0.04 + 0.09
    wanted = (0.01 / total, 0.16 / total, 0.04 / total, 0.09 / total)
    close(Sampling(temperature=0.5).probabilities(LOG_P), *wanted)


def test_the_likeliest_symbols_alone():
    close(Sampling(top_k=2).probabilities(LOG_P), 0, 4 / 7, 0, 3 / 7)
    close(Sampling(top_k=9).probabilities(LOG_P), 0.1, 0.4, 0.2, 0.3)


@pytest.mark.parametrize(
    ("top_p", "wanted"),
    [
        (1e-9, (0, 1, 0, 0)),
        (0.39, (0, 1, 0, 0)),
        (0.5, (0, 4 / 7, 0, 3 / 7)),
        (0.75, (0, 4 / 9, 2 / 9, 3 / 9)),
        (0.95, (0.1, 0.4, 0.2, 0.3)),
    ],
)
def test_the_nucleus_is_the_least_that_has_the_probability(top_p, wanted):
    close(Sampling(top_p=top_p).probabilities(LOG_P), *wanted)


def test_top_k_comes_before_top_p():
    close(Sampling(top_k=2, top_p=0.5).probabilities(LOG_P), 0, 1, 0, 0)


def test_no_temperature_takes_the_likeliest():
    rows = torch.cat([LOG_P, LOG_P.flip(1)])
    assert Sampling(temperature=0).choose(rows, torch.Generator()).tolist() == [1, 2]


def test_what_is_drawn_is_likely_and_follows_from_the_seed():
    rows = LOG_P.expand(400, 4)
    drawn = [
        Sampling(top_k=3).choose(rows, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    counts = torch.bincount(drawn[0], minlength=4).tolist()
    assert counts[0] == 0 < counts[2] < counts[3] < counts[1]


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"temperature": -1.0}, "temperature must be 0 or more, not -1.0"),
        ({"temperature": float("nan")}, "temperature must be 0 or more, not nan"),
        ({"top_k": -2}, "top_k must be 0 (all symbols) or more, not -2"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, not 0.0"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1, not 1.5"),
    ],
)
def test_numbers_out_of_range_are_errors(settings, cause):
    with pytest.raises(ConfigError, match=re.escape(cause)):
        Sampling(**settings)


def test_a_temperature_next_to_nothing_takes_the_likeliest():
    logits = torch.tensor([[1.0, 3.0, 2.0]], dtype=torch.float64).log_softmax(-1)
    close(Sampling(temperature=1e-40).probabilities(logits), 0.0, 1.0, 0.0)


def test_equal_symbols_are_no_more_than_the_likeliest():
    shares = Sampling(top_k=2).probabilities(torch.zeros(1, 4))
    assert sorted(shares[0].tolist()) == [0, 0, 0.5, 0.5]
