import math

import pytest
import torch
from torch.nn import functional

from cellwise.heads import sampled_softmax
from cellwise.heads.sampled_softmax import draw, log_proposal, sampled_cross_entropy
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
GRAD = TOLERANCE[torch.float64]["grad"]


@pytest.fixture
def layer():
    torch.manual_seed(0)
    features, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        for shape in ((6, 4), (9, 4), (9,))
    )
    return features, weight, bias, torch.tensor([0, 8, 3, 3, 5, 1])


def test_the_proposal_is_a_distribution():
    one = log_proposal(1000).exp().sum()
    torch.testing.assert_close(one, torch.ones_like(one), **EXACT)


def test_symbols_are_drawn_by_the_proposal(monkeypatch):
    """A symbol is drawn for just the stretch of uniform numbers that its probability says."""
    edges = torch.cat([torch.zeros(1, dtype=torch.float64), log_proposal(50).exp().cumsum(0)])
    for inside, u in ((0.01, edges[:-1]), (0.99, edges[:-1])):
        uniform = u + inside * edges.diff()
        monkeypatch.setattr(torch, "rand", lambda *_, u=uniform, **__: u)
        assert draw(50, 50).tolist() == list(range(50))


def test_drawing_all_symbols_once_gives_the_whole_softmax(layer, monkeypatch):
    features, weight, bias, right = layer
    monkeypatch.setattr(sampled_softmax, "draw", lambda n, _: torch.arange(n))
    monkeypatch.setattr(
        sampled_softmax,
        "log_proposal",
        lambda n: torch.full((n,), -math.log(n), dtype=torch.float64),
    )
    found = sampled_cross_entropy(features, weight, bias, right, 9)
    wanted = functional.cross_entropy(features @ weight.T + bias, right, reduction="sum")
    torch.testing.assert_close(found, wanted, **EXACT)
    given = (features, weight, bias)
    for one, other in zip(
        torch.autograd.grad(found, given), torch.autograd.grad(wanted, given), strict=True
    ):
        torch.testing.assert_close(one, other, **GRAD)


def test_the_loss_by_its_formula(layer, monkeypatch):
    features, weight, bias, right = layer
    drawn = [2, 2, 3]
    monkeypatch.setattr(sampled_softmax, "draw", lambda *_: torch.tensor(drawn))
    found = sampled_cross_entropy(features, weight, bias, right, 3)
    logits = (features @ weight.T + bias).detach()
    expected = [3 * math.log((k + 2) / (k + 1)) / math.log(10) for k in range(9)]
    wanted = 0.0
    for row, k in zip(logits.tolist(), right.tolist(), strict=True):
        others = sum(math.exp(row[j]) / expected[j] for j in drawn if j != k)
        wanted += math.log(math.exp(row[k]) + others) - row[k]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), **EXACT)


def test_the_gradient_of_many_draws_is_the_whole_softmaxs(layer):
    """Each symbol is drawn many times: a frequent right one must not count as so many, too."""
    features, weight, bias, right = layer
    torch.manual_seed(0)
    given = (features, weight, bias)
    found = sampled_cross_entropy(features, weight, bias, right, 400_000)
    wanted = functional.cross_entropy(features @ weight.T + bias, right, reduction="sum")
    for one, other in zip(
        torch.autograd.grad(found, given), torch.autograd.grad(wanted, given), strict=True
    ):
        assert float((one - other).abs().max()) < 0.02 * float(other.abs().max())


def test_draws_differ_and_follow_from_the_seed():
    torch.manual_seed(3)
    first, second = draw(1000, 20), draw(1000, 20)
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    assert torch.equal(draw(1000, 20), first)
    assert 0 <= int(first.min()) <= int(first.max()) < 1000
