import pytest
import torch

from cellwise.heads.attention import Attention
from tests.tolerances import TOLERANCE

KINDS = ["multiplicative", "additive"]
EXACT = TOLERANCE[torch.float64]["exact"]


def made(kind):
    attention = Attention(4, 6, kind).double()
    values = torch.randn(5, 3, 6, dtype=torch.float64)
    queries = torch.randn(2, 3, 4, dtype=torch.float64)
    return attention, values, queries, torch.tensor([5, 1, 3])


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_shares_of_what_is_not_padding(kind):
    attention, values, queries, lengths = made(kind)
    weights = attention.weights(queries.transpose(0, 1), attention.remember(values, lengths))
    assert weights.shape == (3, 2, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]), **EXACT)
    assert (weights[1, :, 1:] == 0).all()
    assert (weights[2, :, 3:] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_padding_does_not_matter(kind):
    attention, values, queries, lengths = made(kind)
    found = attention(queries, attention.remember(values, lengths))
    values[1:, 1], values[3:, 2] = 1e3, -1e3
    again = attention(queries, attention.remember(values, lengths))
    torch.testing.assert_close(found, again, **EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    attention, values, queries, lengths = made(kind)

    def run(queries, values):
        return attention(queries, attention.remember(values, lengths))

    inputs = (queries.requires_grad_(), values.requires_grad_())
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_all_steps_at_once_are_one_step_after_the_other(kind):
    attention, values, queries, lengths = made(kind)
    memory = attention.remember(values, lengths)
    together = attention(queries, memory)
    apart = torch.cat([attention(query[None], memory) for query in queries])
    torch.testing.assert_close(together, apart, **EXACT)


def test_scores_follow_their_formulas():
    for kind in KINDS:
        attention, values, queries, _ = made(kind)
        memory = attention.remember(values, torch.tensor([5, 5, 5]))
        q, v = queries[1, 2], values[:, 2]
        if kind == "multiplicative":
            scores = v @ attention.key.weight.T @ q
        else:
            features = torch.tanh(attention.query(q) + v @ attention.key.weight.T)
            scores = features @ attention.score.weight[0]
        expected = torch.softmax(scores, dim=0)
        found = attention.weights(queries.transpose(0, 1), memory)[2, 1]
        torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_the_hypotheses_of_a_beam_share_a_memory(kind):
    attention, values, _, lengths = made(kind)
    memory = attention.remember(values, lengths)
    wide = torch.randn(2, 3 * 4, 4, dtype=torch.float64)
    together = attention(wide, memory)
    for k in range(4):
        alone = attention(wide[:, k::4], memory)
        torch.testing.assert_close(together[:, k::4], alone, **EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_reading_also_tells_the_weights(kind):
    attention, values, queries, lengths = made(kind)
    memory = attention.remember(values, lengths)
    contexts, weights = attention.read(queries, memory)
    torch.testing.assert_close(contexts, attention(queries, memory), **EXACT)
    expected = attention.weights(queries.transpose(0, 1), memory).transpose(0, 1)
    torch.testing.assert_close(weights, expected, **EXACT)


def test_a_memory_of_some_rows_answers_as_the_whole():
    attention, values, queries, lengths = made("multiplicative")
    memory, rows = attention.remember(values, lengths), torch.tensor([2, 0])
    found = attention(queries[:, rows], memory.of(rows))
    torch.testing.assert_close(found, attention(queries, memory)[:, rows], **EXACT)


def test_other_values_than_what_the_keys_are_made_of():
    attention, values, queries, lengths = made("multiplicative")
    matrix = torch.randn(7, 6, dtype=torch.float64)
    found = attention(queries, attention.remember(values, lengths, values=values @ matrix.T))
    expected = attention(queries, attention.remember(values, lengths)) @ matrix.T
    torch.testing.assert_close(found, expected, **EXACT)
