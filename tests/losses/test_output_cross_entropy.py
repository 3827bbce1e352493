import pytest
import torch

from cellwise.losses import output_cross_entropy as module
from cellwise.losses.cross_entropy import cross_entropy
from cellwise.losses.output_cross_entropy import Output, output_cross_entropy
from tests.tolerances import TOLERANCE

GRAD = TOLERANCE[torch.float64]["grad"]


def case(n_rows=7, n_symbols=11):
    torch.manual_seed(1)
    features = torch.randn(n_rows, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(n_symbols, 5, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(n_symbols, dtype=torch.float64, requires_grad=True)
    return (features, weight, bias), torch.randint(0, n_symbols, (n_rows,))


def plain(given, right, smoothing):
    features, weight, bias = given
    return cross_entropy(features @ weight.T + bias, right, ignore=-1, smoothing=smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [3, 1024])
def test_it_is_the_cross_entropy_of_the_logits(monkeypatch, smoothing, chunk):
    monkeypatch.setattr(module, "CHUNK", chunk)
    given, right = case()
    found = output_cross_entropy(given[0], Output(*given[1:]), right, smoothing=smoothing)
    expected = plain(given, right, smoothing)
    torch.testing.assert_close(found, expected, **GRAD)
    for one, other in zip(
        torch.autograd.grad(3 * found, given), torch.autograd.grad(3 * expected, given), strict=True
    ):
        torch.testing.assert_close(one, other, **GRAD)


def test_without_gradients_it_is_the_same():
    given, right = case()
    with torch.no_grad():
        found = output_cross_entropy(given[0], Output(*given[1:]), right, smoothing=0.1)
    assert not found.requires_grad
    torch.testing.assert_close(found, plain(given, right, 0.1).detach(), **GRAD)


def test_gradients_by_differences():
    given, right = case(n_rows=3, n_symbols=4)
    assert torch.autograd.gradcheck(
        lambda f, w, b: output_cross_entropy(f, Output(w, b), right, smoothing=0.2), given
    )


def test_no_rows_have_no_loss():
    given, right = case(n_rows=0)
    found = output_cross_entropy(given[0], Output(*given[1:]), right)
    assert found == 0
    found.backward()
    assert (given[1].grad == 0).all()


def test_large_logits_do_not_overflow():
    output = Output(torch.tensor([[1e4], [-1e4]]), torch.zeros(2))
    features = torch.ones(1, 1, requires_grad=True)
    found = output_cross_entropy(features, output, torch.tensor([1]))
    assert found == 2e4
    found.backward()
    assert features.grad is not None
    assert features.grad.item() == 2e4


def test_in_mixed_precision_only_the_products_are_short():
    given, right = case()
    short = [t.detach().float().requires_grad_() for t in given]
    features = short[0].to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = output_cross_entropy(features, Output(*short[1:]), right)
    found.backward()
    assert all(t.grad is not None and t.grad.dtype == torch.float32 for t in short)
    logits = (features @ short[1].to(torch.bfloat16).T).float() + short[2]
    expected = cross_entropy(logits, right, ignore=-1)
    torch.testing.assert_close(found, expected, **TOLERANCE[torch.float32]["exact"])
