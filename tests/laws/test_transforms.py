"""A fold under torch's transforms: derivatives of any order and kind agree with those of the reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cellwise import cells
from cellwise.passes.pipeline import compile_system
from cellwise.structures.call import bind
from cellwise.structures.fold import fold
from tests.laws.case import Case, cases
from tests.laws.networks import Network, gradients, mixture, networks
from tests.tolerances import TOLERANCE

EXACT, GRAD = (TOLERANCE[torch.float64][name] for name in ("exact", "grad"))
Folded = Callable[..., tuple[Tensor, ...]]


def folded(case: Case) -> tuple[Folded, list[Tensor]]:
    """The fold of a case as a function of tensors, and its tensors."""
    compiled = compile_system(case.folded, verify=True)
    key = bind(compiled, case.sizes, dict(case.system.constants), "reference")
    arrays = case.tensors(compiled.forward.system.parameters)
    level_sizes = case.level_sizes

    def function(*tensors: Tensor) -> tuple[Tensor, ...]:
        y, last = fold(key, arrays.like(tensors), level_sizes)
        return (y, *last)

    return function, arrays.all


def _close(found: list[Tensor] | tuple[Tensor, ...], wanted: list[Tensor]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, **GRAD)


def _leaves(tensors: list[Tensor]) -> list[Tensor]:
    return [t.clone().requires_grad_() for t in tensors]


@given(case=cases())
def test_the_derived_backward_equals_autograd_through_the_reference(case: Case) -> None:
    function, tensors = folded(case)
    values, pull = torch.func.vjp(function, *tensors)
    leaves = _leaves(tensors)
    outputs = function(*leaves)
    _close(outputs, list(values))
    mixes = mixture(values)
    _close(gradients(outputs, mixes, leaves), list(pull(tuple(mixes))))


@given(case=cases())
def test_forward_mode_is_the_adjoint_of_the_derived_backward(case: Case) -> None:
    function, tensors = folded(case)
    tangents = mixture(tensors, seed=1)
    values, moved = torch.func.jvp(function, tuple(tensors), tuple(tangents))
    mixes, leaves = mixture(values), _leaves(tensors)
    sent = gradients(function(*leaves), mixes, leaves)
    left = sum((m * d).sum() for m, d in zip(mixes, moved, strict=True))
    right = sum((s * d).sum() for s, d in zip(sent, tangents, strict=True))
    torch.testing.assert_close(left, right, **GRAD)


@given(case=cases(depth=2), seed=st.integers(0, 99))
def test_vmap_equals_a_loop(case: Case, seed: int) -> None:
    function, tensors = folded(case)
    several = [torch.stack([t, t + d, t - d]) for t, d in zip(tensors, mixture(tensors, seed), strict=True)]
    whole = torch.func.vmap(function)(*several)
    for place in range(3):
        alone = function(*(t[place] for t in several))
        _close([w[place] for w in whole], list(alone))


@given(case=cases(depth=2, longest=2))
def test_jacrev_and_jacfwd_equal_the_derived_backward_row_by_row(case: Case) -> None:
    function, tensors = folded(case)
    leaves = _leaves(tensors)
    y, *_ = function(*leaves)
    argnums = tuple(range(len(tensors)))
    for jacobian in (torch.func.jacrev, torch.func.jacfwd):
        found = jacobian(lambda *ts: function(*ts)[0], argnums)(*tensors)
        for place, one in enumerate(torch.eye(y.numel(), dtype=y.dtype)):
            sent = gradients([y], [one.reshape(y.shape)], leaves) if y.numel() else []
            _close([j.reshape(y.numel(), *t.shape)[place] for j, t in zip(found, tensors)], sent)
            y, *_ = function(*leaves)


def _second_order(function: Folded, tensors: list[Tensor]) -> list[Tensor]:
    """The gradient of a mixture of the gradients of a mixture of the outputs."""
    leaves = _leaves(tensors)
    outputs = function(*leaves)
    moving = [o for o in outputs if o.requires_grad]
    mixes = [m.requires_grad_() for m in mixture(moving)]
    first = torch.autograd.grad(moving, leaves, mixes, create_graph=True, allow_unused=True)
    used = [grad for grad in first if grad is not None]
    return gradients(used, mixture(used, seed=1), [*leaves, *mixes])


@given(case=cases(depth=2))
def test_double_backward_equals_that_of_the_reference(case: Case) -> None:
    function, tensors = folded(case)

    def transformed(*ts: Tensor) -> list[Tensor]:
        """The gradients of the same mixture by torch.func, which never meets our backward."""
        values, pull = torch.func.vjp(function, *ts)
        return list(pull(tuple(mixture(values))))

    values, pull = torch.func.vjp(transformed, *tensors)
    leaves = _leaves(tensors)
    outputs = function(*leaves)
    first = gradients_with_graph(outputs, mixture(outputs), leaves)
    _close(first, list(values))
    mixes = mixture(values, seed=1)
    _close(gradients(first, mixes, leaves), list(pull(mixes)))


def gradients_with_graph(
    outputs: tuple[Tensor, ...], mixes: list[Tensor], wanted: list[Tensor]
) -> list[Tensor]:
    """First gradients that can be differentiated again."""
    found = torch.autograd.grad(outputs, wanted, mixes, create_graph=True, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for g, t in zip(found, wanted, strict=True)]
