"""Padded batches taken apart: no room for padding, and gradients that padding has no part in."""

from __future__ import annotations

import pytest
import torch

import cellwise as cw
from cellwise.layers.forms import Padded, take_apart
from tests.tolerances import TOLERANCE

GRAD = TOLERANCE[torch.float64]["grad"]
EXACT = TOLERANCE[torch.float64]["exact"]
CELL = "h[t] = tanh(U @ x[t] + W @ h[t-1] + b)"


def taken(lengths: list[int] | None) -> Padded:
    x = torch.randn(5, 3, 2, dtype=torch.float64)
    given = None if lengths is None else torch.tensor(lengths)
    form = take_apart(x, given, input_size=2, batch_first=False)
    assert isinstance(form, Padded)
    return form


def test_there_is_a_row_for_every_live_step_and_no_other() -> None:
    form = taken([2, 5, 0])
    assert form.rows.shape == (7, 2)
    assert form.levels.sizes.tolist() == [2, 2, 1, 1, 1]
    assert form.restore(form.rows).shape == (5, 3, 2)


@pytest.mark.parametrize("lengths", [None, [5, 5, 5]])
def test_sequences_of_full_length_are_not_copied(lengths: list[int] | None) -> None:
    form = taken(lengths)
    assert form.levels.even and form.levels.order is None
    assert form.restore(form.rows).data_ptr() == form.rows.data_ptr()


def test_lengths_that_say_nothing_new_change_nothing() -> None:
    layer = cw.Recurrent(CELL, 2, 4, bidirectional=True, dtype=torch.float64)
    x = torch.randn(5, 3, 2, dtype=torch.float64)
    plain, told = layer(x), layer(x, lengths=torch.tensor([5, 5, 5]))
    assert torch.equal(plain[0], told[0])
    assert torch.equal(plain[1].h, told[1].h)


def test_gradients_of_a_ragged_batch_are_those_of_its_sequences() -> None:
    layer = cw.Recurrent(CELL, 2, 4, num_layers=2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(5, 3, 2, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([2, 5, 1])
    y, state = layer(x, lengths=lengths)
    wanted = torch.zeros_like(x)
    for row, length in enumerate(lengths.tolist()):
        alone = x.detach()[:length, row].requires_grad_()
        y_alone, state_alone = layer(alone)
        torch.testing.assert_close(y[:length, row], y_alone, **EXACT)
        loss = y_alone.square().sum() + state_alone.h.sum()
        (wanted[:length, row],) = torch.autograd.grad(loss, alone)
    (found,) = torch.autograd.grad(y.square().sum() + state.h.sum(), x)
    torch.testing.assert_close(found, wanted, **GRAD)


def test_the_gradient_of_a_ragged_batch_can_be_differentiated() -> None:
    layer = cw.Recurrent(CELL, 2, 3, bidirectional=True, dtype=torch.float64)
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)

    def run(x: torch.Tensor) -> torch.Tensor:
        y, _ = layer(x, lengths=torch.tensor([1, 3]))
        assert isinstance(y, torch.Tensor)
        return y

    assert torch.autograd.gradgradcheck(run, (x,))


def test_ragged_batches_of_half_precision_have_gradients() -> None:
    layer = cw.Recurrent(CELL, 2, 4, dtype=torch.bfloat16)
    x = torch.randn(5, 3, 2).bfloat16().requires_grad_()
    layer(x, lengths=torch.tensor([2, 5, 1]))[0].sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
    assert not x.grad[2:, 0].any() and x.grad[1, 0].any()


def test_whole_numbers_are_refused_in_ragged_batches_too() -> None:
    layer = cw.Recurrent(CELL, 2, 4)
    with pytest.raises(cw.ShapeError, match=r"floating-point numbers, but is torch\.int64"):
        layer(torch.ones(3, 2, 2, dtype=torch.int64), lengths=torch.tensor([3, 1]))
