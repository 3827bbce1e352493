from __future__ import annotations

import pytest
import torch

from cellwise.heads.pooling import Pooling
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
KINDS = ["last", "mean", "max", "attention"]
LENGTHS = torch.tensor([5, 2, 1])


def pooling_of(kind, **options):
    torch.manual_seed(0)
    return Pooling(6, kind, **options).double()


def outputs_of(lengths, n_steps=5):
    """Random outputs, zeros where a sequence is over, as a recurrent layer gives them."""
    torch.manual_seed(1)
    outputs = torch.randn(n_steps, len(lengths), 6, dtype=torch.float64) - 2
    return outputs * (torch.arange(n_steps)[:, None] < lengths)[..., None]


@pytest.mark.parametrize("kind", KINDS)
def test_padding_never_matters(kind):
    pooling, outputs = pooling_of(kind), outputs_of(LENGTHS)
    apart = [
        pooling(outputs[:length, row : row + 1], torch.tensor([length]))[0]
        for row, length in enumerate(LENGTHS.tolist())
    ]
    torch.testing.assert_close(pooling(outputs, LENGTHS), torch.stack(apart), **EXACT)


def test_what_each_kind_is_of_a_sequence_without_padding():
    outputs = outputs_of(torch.tensor([5]))
    whole, lengths = outputs[:, 0], torch.tensor([5])
    wanted = {"mean": whole.mean(0), "max": whole.max(0).values, "last": whole[-1]}
    for kind, vector in wanted.items():
        torch.testing.assert_close(pooling_of(kind)(outputs, lengths)[0], vector, **EXACT)
    both = pooling_of("last", bidirectional=True)(outputs, lengths)[0]
    assert torch.equal(both, torch.cat([whole[-1, :3], whole[0, 3:]]))


def test_attention_is_the_equation_of_the_paper():
    pooling, outputs = pooling_of("attention", attention_size=4), outputs_of(LENGTHS)
    matrix, bias = pooling.features.weight, pooling.features.bias
    for row, length in enumerate(LENGTHS.tolist()):
        steps = [outputs[t, row] for t in range(length)]
        scores = [pooling.score.weight[0] @ torch.tanh(matrix @ h + bias) for h in steps]
        shares = torch.stack(scores).exp() / torch.stack(scores).exp().sum()
        wanted = sum(share * h for share, h in zip(shares, steps, strict=True))
        found = pooling.weights(outputs, LENGTHS)
        torch.testing.assert_close(found[:length, row], shares, **EXACT)
        assert found[length:, row].tolist() == [0.0] * (5 - length)
        torch.testing.assert_close(pooling(outputs, LENGTHS)[row], wanted, **EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_without_steps_becomes_zeros(kind):
    lengths = torch.tensor([2, 0])
    assert pooling_of(kind)(outputs_of(lengths), lengths)[1].tolist() == [0.0] * 6


@pytest.mark.parametrize("kind", ["max", "attention"])
def test_gradients_reach_the_steps_that_are_read_and_no_others(kind):
    outputs = outputs_of(LENGTHS).requires_grad_()
    (gradient,) = torch.autograd.grad(pooling_of(kind)(outputs, LENGTHS).square().sum(), outputs)
    reached = gradient.abs().sum(-1) > 0
    assert reached[:, 0].any() and reached[:2, 1].any() and reached[0, 2]
    assert not reached[2:, 1].any() and not reached[1:, 2].any()
    assert gradient.isfinite().all()
