"""Cells of which simplifying leaves less to read than a person feeds: all that is fed stays."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import cellwise as cw
from tests.tolerances import TOLERANCE

ROUNDING = TOLERANCE[torch.float64]["exact"]

CELLS = {
    "an own past": "c[t] = NOTHING * c[t-1] + V @ x[t]\nh[t] = tanh(U @ c[t] + h[t-1])",
    "the only past": "h[t] = tanh(U @ x[t]) + NOTHING * h[t-1]",
    "a past behind the output": "h[t] = U @ x[t]\ny[t] = h[t-1] * NOTHING + h[t]",
    "a product of the past": "h[t] = tanh(U @ x[t]) + NOTHING * (V @ h[t-1])",
    "the input": "h[t] = tanh(W @ h[t-1] + b) + NOTHING * (U @ x[t])",
    "the input in a softmax": "h[t] = tanh(W @ h[t-1] + b) * softmax(NOTHING * (U @ x[t]))",
    "the input in a sum": "h[t] = tanh(W @ h[t-1] + b) + dot(x[t], u) * NOTHING",
    "an input that nobody reads": "m[t] = U @ x[t]\nh[t] = tanh(W @ h[t-1]) + NOTHING * m[t]",
}


def layers(text: str, **options: Any) -> tuple[Any, Any]:
    """A layer with a literal 0, and one with a constant of that value, of the same weights."""
    torch.manual_seed(0)
    literal = cw.Recurrent(text.replace("NOTHING", "0"), 3, 4, dtype=torch.float64, **options)
    named = cw.Recurrent(f"g = 0\n{text.replace('NOTHING', 'g')}", 3, 4, dtype=torch.float64)
    with torch.no_grad():
        for weight in literal.parameters():
            weight.uniform_(-1, 1)
    named.load_state_dict(literal.state_dict())
    return literal, named


@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize("memory", ["fast", "lean"])
@pytest.mark.parametrize("text", CELLS.values(), ids=list(CELLS))
def test_a_literal_nothing_is_as_good_as_one_with_a_name(text, memory, backend):
    found = []
    for layer in layers(text, memory=memory, backend=backend):
        torch.manual_seed(1)
        x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
        with torch.no_grad():
            layer(x)
        y, last = layer(x, lengths=torch.tensor([5, 3]))
        (y.square().sum() + sum(state.sum() for state in last)).backward()
        weights = [weight.grad for weight in layer.parameters()]
        found.append([y.detach(), *(s.detach() for s in last), x.grad, *weights])
    for one, other in zip(*found, strict=True):
        one = torch.zeros_like(other) if one is None else one
        torch.testing.assert_close(one, other, **ROUNDING)


@pytest.mark.parametrize("text", CELLS.values(), ids=list(CELLS))
def test_it_is_fed_step_by_step(text):
    layer, _ = layers(text)
    x = torch.randn(5, 3, dtype=torch.float64)
    with torch.no_grad():
        y, last = layer(x)
    step = layer.stepper()
    found = torch.stack([step(one) for one in x])
    torch.testing.assert_close(found, y, **ROUNDING)
    for one, other in zip(step.state, last, strict=True):
        torch.testing.assert_close(one, other, **ROUNDING)


def test_two_layers_of_which_one_reads_nothing_are_fed_step_by_step():
    text = CELLS["an input that nobody reads"].replace("NOTHING", "0")
    layer = cw.Recurrent(text, 4, 4, num_layers=2, dtype=torch.float64)
    x = torch.randn(5, 4, dtype=torch.float64)
    step = copy.deepcopy(layer).stepper()
    with torch.no_grad():
        torch.testing.assert_close(torch.stack([step(one) for one in x]), layer(x)[0], **ROUNDING)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize(
    "text",
    [
        "h[t] = x[t] ** p",
        "n = 1\nh[t] = tanh(U @ x[t]) * relu(h[t-1] + b) ** (n - 1)",
        "k = 0\nh[t] = tanh(relu(U @ x[t]) ** k + W @ h[t-1])",
    ],
)
def test_a_power_of_nothing_has_no_slope(text, backend):
    torch.manual_seed(0)
    layer: Any = cw.Recurrent(text, 4, 4, dtype=torch.float64, backend=backend)
    if "** p" in text:
        with torch.no_grad():
            layer.layer0.p.zero_()
    x = torch.rand(4, 2, 4, dtype=torch.float64)
    x[0] = 0
    x.requires_grad_()
    y, _ = layer(x)
    y.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in layer.parameters())
    slope = torch.autograd.grad(layer(x)[0].sum(), x)[0]
    assert slope.isfinite().all()
    if text == "h[t] = x[t] ** p":
        same = x.detach().requires_grad_()
        total = (same ** torch.zeros(4, dtype=torch.float64)).sum()
        assert torch.equal(slope, torch.autograd.grad(total, same)[0])


def test_the_slope_of_a_power_is_that_of_textbooks_but_where_both_are_nothing():
    found = str(cw.Cell("h[t] = x[t] ** p").backward())
    assert "p * x[t] ** (p - step(abs(x[t]) + abs(p)))" in found


def test_an_exponent_starts_at_one():
    layer: Any = cw.Recurrent("h[t] = tanh(relu(U @ x[t]) ** p + W @ h[t-1])", 3, 4)
    assert layer.layer0.p.tolist() == [1.0] * 4
    layer(torch.randn(3, 2, 3))[0].sum().backward()
    assert layer.layer0.U.grad.abs().sum() > 0
