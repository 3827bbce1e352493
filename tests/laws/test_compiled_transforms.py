"""torch's transforms of compiled folds and layers: the reference serves them, and they agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor

import cellwise as cw
from cellwise import cells
from tests.laws import folds
from tests.laws.case import Case, cases
from tests.laws.folds import served_by
from tests.tolerances import TOLERANCE

GRAD = TOLERANCE[torch.float64]["grad"]


@given(case=cases(depth=2))
def test_the_laws_of_folds_hold_for_random_cells(case: Case) -> None:
    with served_by("auto"):
        folds.fold_equals_the_equations_as_written(case)
        folds.derived_backward_equals_autograd(case)
        folds.forward_mode_is_the_adjoint_of_the_derived_backward(case)
        folds.vmap_equals_a_loop(case)
        folds.double_backward_equals_that_of_the_reference(case)
        folds.double_backward_through_carried_states(case)


@pytest.mark.parametrize("name", cells.names("chain"))
def test_the_laws_of_folds_hold_for_the_zoo(name: str) -> None:
    case = Case(cells.get(name).system, (3, 2), (3, 2, 0), 0)
    with served_by("cpu"):
        folds.fold_equals_the_equations_as_written(case)
        folds.derived_backward_equals_autograd(case)
        folds.forward_mode_is_the_adjoint_of_the_derived_backward(case)
        folds.vmap_equals_a_loop(case)
        folds.double_backward_equals_that_of_the_reference(case)


def _twins(name: str) -> tuple[cw.Recurrent, cw.Recurrent]:
    """A compiled layer and one of the reference, with the same weights."""
    layer, twin = (
        cw.Recurrent(name, 3, 4, backend=backend, dtype=torch.float64)
        for backend in ("cpu", "reference")
    )
    twin.load_state_dict(layer.state_dict())
    return layer, twin


def _function(layer: cw.Recurrent) -> Callable[[Tensor], Tensor]:
    return lambda x: layer(x, lengths=torch.tensor([4, 2, 0]))[0]


def _close(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, **GRAD)


X = torch.randn(4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["lstm", "gru", "sru", "lstm_layernorm"])
def test_a_layer_under_transforms_agrees_with_one_of_the_reference(name: str) -> None:
    layer, twin = map(_function, _twins(name))
    _close(torch.func.jvp(layer, (X,), (X.sin(),)), torch.func.jvp(twin, (X,), (X.sin(),)))
    several = torch.stack([X, X.cos()])
    _close([torch.func.vmap(layer)(several)], [torch.func.vmap(twin)(several)])
    (pull, mix) = torch.func.vjp(layer, X)[1], torch.ones(4, 3, 4, dtype=torch.float64)
    _close(pull(mix), torch.func.vjp(twin, X)[1](mix))
    _close([torch.func.jacrev(layer)(X)], [torch.func.jacfwd(twin)(X)])


@pytest.mark.parametrize("name", ["lstm", "gru", "sru", "lstm_layernorm"])
def test_a_penalty_on_gradients_agrees_with_the_reference(name: str) -> None:
    results = []
    for layer in _twins(name):
        x = X.clone().requires_grad_()
        y = _function(layer)(x)
        (d_x,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        results.append(torch.autograd.grad(d_x.square().sum(), [x, *layer.parameters()]))
    _close(*results)


def _of_arrays(layer: cw.Recurrent) -> tuple[Callable[..., Any], list[Tensor]]:
    """A layer as a function of its input, initial states and weights, and those."""
    names = [name for name, _ in layer.named_parameters()]
    weights = [w.detach().clone().requires_grad_() for w in layer.parameters()]
    x = X[:2, :2].clone().requires_grad_()
    state = [torch.randn_like(s).requires_grad_() for s in layer(x)[1]]

    def function(x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        first, rest = others[: len(state)], others[len(state) :]
        named = dict(zip(names, rest, strict=True))
        y, last = torch.func.functional_call(layer, named, (x, first, torch.tensor([2, 1])))
        return (y, *last)

    return function, [x, *state, *weights]


def test_torch_checks_first_and_second_derivatives() -> None:
    layer = cw.Recurrent("lstm", 3, 2, backend="cpu", dtype=torch.float64)
    function, arrays = _of_arrays(layer)
    assert torch.autograd.gradcheck(function, arrays)
    assert torch.autograd.gradgradcheck(function, arrays)


@pytest.mark.parametrize("name", ["lstm", "sru"])
def test_torch_compile_sees_one_operation(name: str) -> None:
    layer, _ = _twins(name)
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    lengths, results = torch.tensor([4, 2, 0]), []
    for module in (layer, compiled):
        x = X.clone().requires_grad_()
        y, state = module(x, lengths=lengths)
        grads = torch.autograd.grad(y.sum(), [x, *layer.parameters()])
        results.append([y, *state, *grads])
    _close(*results)
