from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch
from hypothesis import given, strategies
from torch import Tensor

from cellwise.heads.crf import CRF
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
GRAD = TOLERANCE[torch.float64]["grad"]


def crf_of(n_labels: int, *, seed: int = 0, allowed: Tensor | None = None) -> CRF:
    """A CRF with weights that are not zero."""
    generator = torch.Generator().manual_seed(seed)
    crf = CRF(n_labels, allowed=allowed).double()
    with torch.no_grad():
        for weight in crf.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return crf


def enumerated(crf: CRF, scores: Tensor) -> dict[tuple[int, ...], float]:
    """The score of every sequence of labels of one row, `[T, L]`, by the formula as written."""
    start, moves, end = (weight.tolist() for weight in (crf.start, crf.transitions, crf.end))
    steps = scores.tolist()
    found = {}
    for labels in product(range(scores.shape[1]), repeat=len(steps)):
        score = start[labels[0]] + end[labels[-1]]
        score += sum(row[label] for row, label in zip(steps, labels, strict=True))
        score += sum(moves[a][b] for a, b in pairwise(labels))
        found[labels] = score
    return found


def log_sum(scores: list[float]) -> Tensor:
    return torch.tensor(scores, dtype=torch.float64).logsumexp(0)


@strategies.composite
def cases(draw: strategies.DrawFn) -> tuple[CRF, Tensor, Tensor]:
    """A CRF, scores `[T, B, L]` with NaN at padding, and lengths from 0 on."""
    n_labels, seed = draw(strategies.integers(1, 4)), draw(strategies.integers(0, 999))
    lengths = torch.tensor(
        draw(strategies.lists(strategies.integers(0, 5), min_size=1, max_size=4))
    )
    n_steps = int(lengths.max()) + draw(strategies.integers(0, 2))
    generator = torch.Generator().manual_seed(seed)
    shape = (n_steps, len(lengths), n_labels)
    scores = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
    scores[torch.arange(n_steps)[:, None] >= lengths] = torch.nan
    return crf_of(n_labels, seed=seed), scores, lengths


@given(cases())
def test_log_z_is_the_sum_over_all_sequences(case):
    crf, scores, lengths = case
    found = crf.log_partition(scores, lengths)
    for row, length in enumerate(lengths.tolist()):
        wanted = log_sum(list(enumerated(crf, scores[:length, row]).values())) if length else None
        expected = torch.zeros((), dtype=torch.float64) if wanted is None else wanted
        torch.testing.assert_close(found[row], expected, **EXACT)


@given(cases())
def test_the_best_labels_are_the_best_of_all_sequences(case):
    crf, scores, lengths = case
    for row, labels in enumerate(crf.decode(scores, lengths)):
        length = int(lengths[row])
        all_scores = enumerated(crf, scores[:length, row]) if length else {}
        assert tuple(labels) == max(all_scores, key=all_scores.__getitem__, default=())


@given(cases())
def test_marginals_are_shares_of_all_sequences(case):
    crf, scores, lengths = case
    found = crf.marginals(scores, lengths)
    expected = torch.zeros_like(found)
    for row, length in enumerate(lengths.tolist()):
        if length:
            all_scores = enumerated(crf, scores[:length, row])
            log_z = log_sum(list(all_scores.values()))
            for labels, score in all_scores.items():
                for step, label in enumerate(labels):
                    expected[step, row, label] += torch.exp(score - log_z)
    torch.testing.assert_close(found, expected, **GRAD)


@given(cases(), strategies.data())
def test_the_likelihood_adds_up_what_is_not_known(case, data):
    crf, scores, lengths = case
    n_steps, n_rows, n_labels = scores.shape
    numbers = strategies.integers(-1, n_labels - 1)
    rows = data.draw(
        strategies.lists(
            strategies.lists(numbers, min_size=n_rows, max_size=n_rows),
            min_size=n_steps,
            max_size=n_steps,
        )
    )
    labels = torch.tensor(rows, dtype=torch.int64).reshape(n_steps, n_rows)
    total = torch.zeros((), dtype=torch.float64)
    for row, length in enumerate(lengths.tolist()):
        if length:
            wanted = labels[:length, row].tolist()
            all_scores = enumerated(crf, scores[:length, row])
            fitting = [
                score
                for sequence, score in all_scores.items()
                if all(w in (-1, s) for w, s in zip(wanted, sequence, strict=True))
            ]
            total += log_sum(list(all_scores.values())) - log_sum(fitting)
    torch.testing.assert_close(
        crf.negative_log_likelihood(scores, labels, lengths).detach(), total, **GRAD
    )


def batch() -> tuple[CRF, Tensor, Tensor, Tensor]:
    scores = torch.randn(6, 4, 3, dtype=torch.float64)
    return crf_of(3), scores, torch.randint(0, 3, (6, 4)), torch.tensor([6, 0, 2, 5])


@pytest.mark.parametrize("known", [True, False])
def test_padding_is_never_read_and_gets_no_gradient(known):
    crf, scores, labels, lengths = batch()
    if not known:
        labels[1, 0] = -1
    real = torch.arange(6)[:, None] < lengths
    results = []
    for filler in (0.0, torch.nan, torch.inf):
        filled = scores.masked_fill(~real[..., None], filler).requires_grad_()
        filled_labels = labels.masked_fill(~real, -1 if filler else 7)
        loss = crf.negative_log_likelihood(filled, filled_labels, lengths)
        gradient = torch.autograd.grad(loss, [filled, *crf.parameters()])
        assert not gradient[0][~real].any()
        results.append((loss, gradient, crf.decode(filled, lengths)))
    for loss, gradient, decoded in results[1:]:
        assert torch.equal(loss, results[0][0])
        assert all(map(torch.equal, gradient, results[0][1]))
        assert decoded == results[0][2]


def test_rows_do_not_depend_on_each_other():
    crf, scores, labels, lengths = batch()
    order = torch.tensor([2, 0, 3, 1])
    mixed = crf.log_partition(scores[:, order], lengths[order])
    torch.testing.assert_close(mixed, crf.log_partition(scores, lengths)[order], **EXACT)
    decoded = crf.decode(scores, lengths)
    assert crf.decode(scores[:, order], lengths[order]) == [decoded[i] for i in order]
    alone = sum(
        crf.negative_log_likelihood(scores[:n, [i]], labels[:n, [i]], lengths[[i]])
        for i, n in enumerate(lengths.tolist())
    )
    assert isinstance(alone, Tensor)
    whole = crf.negative_log_likelihood(scores, labels, lengths)
    torch.testing.assert_close(whole, alone, **EXACT)


@pytest.mark.parametrize("known", [True, False])
def test_gradients_are_those_of_central_differences(known):
    crf, scores = crf_of(2), torch.randn(3, 2, 2, dtype=torch.float64)
    labels, lengths = torch.tensor([[0, 1], [1, 0], [1, 1]]), torch.tensor([3, 2])
    if not known:
        labels[0, 0], labels[:, 1] = -1, -1

    def loss(scores: Tensor, *weights: Tensor) -> Tensor:
        named = zip((f"crf.{name}" for name, _ in crf.named_parameters()), weights, strict=True)
        found = torch.func.functional_call(_Loss(crf), dict(named), (scores, labels, lengths))
        assert isinstance(found, Tensor)
        return found

    inputs = [scores.requires_grad_(), *(w.detach().requires_grad_() for w in crf.parameters())]
    assert torch.autograd.gradcheck(loss, inputs)
    assert torch.autograd.gradgradcheck(loss, inputs)


class _Loss(torch.nn.Module):
    def __init__(self, crf: CRF):
        super().__init__()
        self.crf = crf

    def forward(self, *arguments: Tensor) -> Tensor:
        return self.crf.negative_log_likelihood(*arguments)


NEVER_TWICE = torch.tensor(
    [
        [True, True, True, False],  # 0 may not be the last
        [True, True, True, True],
        [True, True, False, True],  # nor 2 come twice
        [True, False, True, True],  # nor 1 be the first
    ]
)


def is_allowed(labels: tuple[int, ...]) -> bool:
    edged = (3, *labels, 3)
    return all(NEVER_TWICE[a, b] for a, b in pairwise(edged))


@pytest.mark.parametrize("seed", range(5))
def test_what_is_forbidden_has_no_probability_and_is_not_decoded(seed):
    crf = crf_of(3, seed=seed, allowed=NEVER_TWICE)
    scores = torch.randn(4, 1, 3, dtype=torch.float64, generator=torch.manual_seed(seed))
    lengths = torch.tensor([4])
    fitting = {y: s for y, s in enumerated(crf, scores[:, 0]).items() if is_allowed(y)}
    log_z = crf.log_partition(scores, lengths)[0].detach()
    torch.testing.assert_close(log_z, log_sum(list(fitting.values())), **EXACT)
    assert tuple(crf.decode(scores, lengths)[0]) == max(fitting, key=fitting.__getitem__)
    marginals = crf.marginals(scores, lengths)[:, 0]
    assert marginals[0, 1] == 0
    assert marginals[3, 0] == 0
    torch.testing.assert_close(marginals.sum(-1), torch.ones(4, dtype=torch.float64), **EXACT)


def test_where_all_is_forbidden_there_are_labels_still():
    crf = CRF(2, allowed=torch.zeros(3, 3, dtype=torch.bool))
    scores = torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]], requires_grad=True)
    lengths = torch.tensor([2])
    assert crf.decode(scores, lengths) == [[1, 0]]
    crf.negative_log_likelihood(scores, torch.tensor([[1], [0]]), lengths).backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_without_transitions_it_is_a_softmax_at_every_step():
    scores, labels = torch.randn(5, 3, 4).double(), torch.randint(0, 4, (5, 3))
    lengths = torch.tensor([5, 5, 5])
    found = CRF(4).double().negative_log_likelihood(scores, labels, lengths)
    wanted = torch.nn.functional.cross_entropy(
        scores.flatten(0, 1), labels.flatten(), reduction="sum"
    )
    torch.testing.assert_close(found.detach(), wanted, **EXACT)


@pytest.mark.parametrize("shape", [(0, 2, 3), (0, 0, 3), (4, 0, 3)])
def test_nothing_at_all(shape):
    crf, scores = crf_of(3), torch.zeros(shape, dtype=torch.float64)
    labels, lengths = torch.zeros(shape[:2], dtype=torch.int64), torch.zeros(shape[1]).long()
    assert crf.negative_log_likelihood(scores, labels, lengths) == 0
    assert crf.decode(scores, lengths) == [[]] * shape[1]
    assert crf.marginals(scores, lengths).shape == shape


def test_half_precision_scores_are_added_up_in_the_precision_of_the_weights():
    scores, lengths = torch.randn(30, 2, 5).bfloat16(), torch.tensor([30, 7])
    crf = CRF(5)
    assert torch.equal(
        crf.log_partition(scores, lengths), crf.log_partition(scores.float(), lengths)
    )


def test_the_penalties_are_no_weights():
    assert list(CRF(2).state_dict()) == ["transitions", "start", "end"]
