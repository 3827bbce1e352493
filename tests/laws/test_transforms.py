"""Folds of random cells: back end, derived backward, and torch's transforms agree."""

from __future__ import annotations

import torch
from hypothesis import given

from tests.laws import folds
from tests.laws.case import Case, cases


@given(case=cases())
def test_a_fold_equals_the_equations_as_written(case: Case) -> None:
    folds.fold_equals_the_equations_as_written(case)


@given(case=cases())
def test_the_derived_backward_equals_autograd_through_the_reference(case: Case) -> None:
    folds.derived_backward_equals_autograd(case)


@given(case=cases())
def test_forward_mode_is_the_adjoint_of_the_derived_backward(case: Case) -> None:
    folds.forward_mode_is_the_adjoint_of_the_derived_backward(case)


@given(case=cases(depth=2))
def test_vmap_equals_a_loop(case: Case) -> None:
    folds.vmap_equals_a_loop(case)


@given(case=cases(depth=2, longest=2))
def test_jacobians_equal_the_derived_backward(case: Case) -> None:
    folds.jacobians_equal_the_derived_backward(case)


@given(case=cases(depth=2))
def test_double_backward_equals_that_of_the_reference(case: Case) -> None:
    folds.double_backward_equals_that_of_the_reference(case)


@given(case=cases(depth=2, longest=2))
def test_double_backward_through_carried_states(case: Case) -> None:
    folds.double_backward_through_carried_states(case)


def test_gradgradcheck_of_a_gated_cell() -> None:
    text = """
    z[t] = sigmoid(U_z @ x[t] + W_z @ h[t-1])
    h[t] = (1 - z[t]) * h[t-1] + z[t] * tanh(U @ x[t] + norm(W @ h[t-1]) * g)
    """
    function, tensors = folds.folded(Case(text, (2, 3), (2, 1), 3))
    assert torch.autograd.gradcheck(function, [t.requires_grad_() for t in tensors])
    assert torch.autograd.gradgradcheck(function, tensors)
