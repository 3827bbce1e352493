import pytest
import torch

from cellwise.heads.coverage import CoverageAttention, read_again
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]


def made(n_queries=3):
    attention = CoverageAttention(4, 6).double()
    values = torch.randn(5, 3, 6, dtype=torch.float64)
    queries = torch.randn(2, n_queries, 4, dtype=torch.float64)
    return attention, values, queries, torch.tensor([5, 1, 3])


def test_scores_follow_their_formula():
    attention, values, queries, _ = made()
    memory = attention.remember(values, torch.tensor([5, 5, 5]))
    coverage = torch.rand(3, 5, dtype=torch.float64)
    contexts, weights = attention.read_anew(queries, memory, coverage)
    seen = coverage[1]
    for step in range(2):
        q, v = queries[step, 1], values[:, 1]
        once = attention.query(q) + v @ attention.key.weight.T
        features = torch.tanh(once + seen[:, None] * attention.covered.weight[:, 0])
        expected = torch.softmax(features @ attention.score.weight[0], dim=0)
        torch.testing.assert_close(weights[step, 1], expected, **EXACT)
        torch.testing.assert_close(contexts[step, 1], expected @ v, **EXACT)
        seen = seen + expected


def test_all_steps_at_once_are_one_step_after_the_other():
    attention, values, queries, lengths = made()
    memory, coverage = attention.remember(values, lengths), torch.zeros(3, 5).double()
    together, weights = attention.read_anew(queries, memory, coverage)
    for step, query in enumerate(queries):
        context, own = attention.read_anew(query[None], memory, coverage)
        torch.testing.assert_close(together[step], context[0], **EXACT)
        torch.testing.assert_close(weights[step], own[0], **EXACT)
        coverage = coverage + own[0]


def test_without_a_weight_on_coverage_it_is_additive_attention():
    attention, values, queries, lengths = made()
    torch.nn.init.zeros_(attention.covered.weight)
    memory = attention.remember(values, lengths)
    contexts, _ = attention.read_anew(queries, memory, torch.rand(3, 5).double())
    torch.testing.assert_close(contexts, attention(queries, memory), **EXACT)


def test_padding_is_not_read():
    attention, values, queries, lengths = made()
    memory = attention.remember(values, lengths)
    _, weights = attention.read_anew(queries, memory, torch.zeros(3, 5).double())
    assert (weights[:, 1, 1:] == 0).all()
    assert (weights[:, 2, 3:] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3).double(), **EXACT)


def test_the_hypotheses_of_a_beam_share_a_memory_but_no_coverage():
    attention, values, queries, lengths = made(n_queries=12)
    memory, coverage = attention.remember(values, lengths), torch.rand(12, 5).double()
    together, weights = attention.read_anew(queries, memory, coverage)
    for k in range(4):
        alone, own = attention.read_anew(queries[:, k::4], memory, coverage[k::4])
        torch.testing.assert_close(together[:, k::4], alone, **EXACT)
        torch.testing.assert_close(weights[:, k::4], own, **EXACT)


def test_gradients():
    attention, values, queries, lengths = made()
    coverage = torch.rand(3, 5, dtype=torch.float64)

    def run(queries, values):
        memory = attention.remember(values, lengths)
        contexts, weights = attention.read_anew(queries, memory, coverage)
        return contexts, read_again(weights)

    assert torch.autograd.gradcheck(run, (queries.requires_grad_(), values.requires_grad_()))


@pytest.mark.parametrize("n_steps", [1, 4])
def test_reading_again_is_the_smaller_of_weight_and_coverage(n_steps):
    weights = torch.softmax(torch.randn(n_steps, 2, 5, dtype=torch.float64), dim=-1)
    found = read_again(weights)
    for step in range(n_steps):
        for row in range(2):
            before = [sum(float(w[row, i]) for w in weights[:step]) for i in range(5)]
            expected = sum(min(float(weights[step, row, i]), before[i]) for i in range(5))
            assert float(found[step, row]) == pytest.approx(expected, abs=EXACT["atol"])
