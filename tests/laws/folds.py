"""What must be true of a fold as a function of tensors, under torch's transforms.

Each function states one law of a case and fails where it does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from hypothesis import assume
from torch import Tensor

from cellwise.passes.pipeline import compile_system
from cellwise.structures.call import bind
from cellwise.structures.fold import fold
from tests.evaluate import evaluate
from tests.laws.case import Case
from tests.laws.networks import gradients, mixture
from tests.tolerances import TOLERANCE

EXACT, GRAD = (TOLERANCE[torch.float64][name] for name in ("exact", "grad"))
Folded = Callable[..., tuple[Tensor, ...]]

_backend = ContextVar("backend", default="reference")


@contextmanager
def served_by(backend: str) -> Iterator[None]:
    """Meanwhile, all laws are those of this back end."""
    token = _backend.set(backend)
    try:
        yield
    finally:
        _backend.reset(token)


def folded(case: Case) -> tuple[Folded, list[Tensor]]:
    """The fold of a case as a function of tensors, and its tensors."""
    compiled = compile_system(case.folded, verify=True)
    key = bind(compiled, case.sizes, dict(case.system.constants), _backend.get())
    arrays = case.tensors(compiled.forward.system.parameters)
    level_sizes = case.level_sizes

    def function(*tensors: Tensor) -> tuple[Tensor, ...]:
        y, last = fold(key, arrays.like(tensors), level_sizes)
        return (y, *last)

    return function, arrays.all


def _vjp(function: Callable[..., Any], tensors: Sequence[Tensor]) -> tuple[Any, Any]:
    """The values of a function, and what sends their cotangents back."""
    values, pull = torch.func.vjp(function, *tensors)[:2]
    return values, pull


def _close(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, equal_nan=False, **GRAD)


def _leaves(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [t.clone().requires_grad_() for t in tensors]


def fold_equals_the_equations_as_written(case: Case) -> None:
    """The output of every sequence and its last states, step by step in numpy."""
    function, tensors = folded(case)
    y, *last = function(*tensors)
    pieces = case.pieces(y)
    for place in range(len(case.lengths)):
        trace = evaluate(case.system, case.feed(place))
        np.testing.assert_allclose(pieces[place], trace.signals[case.system.output], **EXACT)
        for name, end in zip(case.system.states, last, strict=True):
            np.testing.assert_allclose(end[place].numpy(), trace.edges[name], **EXACT)


def derived_backward_equals_autograd(case: Case) -> None:
    """The compiled backward against torch's own, through the reference."""
    function, tensors = folded(case)
    values, pull = _vjp(function, tensors)
    leaves = _leaves(tensors)
    outputs = function(*leaves)
    _close(outputs, values)
    mixes = mixture(values)
    _close(gradients(outputs, mixes, leaves), pull(tuple(mixes)))


def forward_mode_is_the_adjoint_of_the_derived_backward(case: Case) -> None:
    """⟨u, Jv⟩ = ⟨Jᵀu, v⟩, with Jv by torch.func.jvp."""
    function, tensors = folded(case)
    tangents = mixture(tensors, seed=1)
    values, moved = torch.func.jvp(function, tuple(tensors), tuple(tangents))[:2]
    mixes, leaves = mixture(values), _leaves(tensors)
    sent = gradients(function(*leaves), mixes, leaves)
    left = sum((m * d).sum() for m, d in zip(mixes, moved, strict=True))
    right = sum((s * d).sum() for s, d in zip(sent, tangents, strict=True))
    torch.testing.assert_close(right, left, **GRAD)


def vmap_equals_a_loop(case: Case) -> None:
    """Over all tensors at once, parameters too."""
    function, tensors = folded(case)
    several = [torch.stack([t, 1.25 * t, 1.5 * t]) for t in tensors]  # what is positive stays so
    whole = torch.func.vmap(function)(*several)
    for place in range(3):
        _close([w[place] for w in whole], function(*(t[place] for t in several)))


def jacobians_equal_the_derived_backward(case: Case) -> None:
    """By torch.func.jacrev and jacfwd, row by row."""
    function, tensors = folded(case)
    leaves = _leaves(tensors)
    y = function(*leaves)[0]
    assume(y.numel())  # torch.func.vmap, which jacrev is made of, takes no batch of nothing
    ones = torch.eye(y.numel(), dtype=y.dtype)
    argnums = tuple(range(len(tensors)))
    rows = [gradients([function(*leaves)[0]], [one.reshape(y.shape)], leaves) for one in ones]
    for jacobian in (torch.func.jacrev, torch.func.jacfwd):
        found = jacobian(lambda *ts: function(*ts)[0], argnums)(*tensors)
        for place, row in enumerate(rows):
            wanted = [
                j.reshape(y.numel(), *t.shape)[place] for j, t in zip(found, tensors, strict=True)
            ]
            _close(row, wanted)


def _twice(outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[Tensor]:
    """First gradients that can be differentiated again."""
    mixes = mixture(outputs)
    found = torch.autograd.grad(outputs, leaves, mixes, create_graph=True, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for g, t in zip(found, leaves, strict=True)]


def double_backward_equals_that_of_the_reference(case: Case) -> None:
    """The gradients of the gradients, against torch.func, which never meets our backward."""
    function, tensors = folded(case)

    def transformed(*ts: Tensor) -> list[Tensor]:
        values, pull = _vjp(function, ts)
        return list(pull(tuple(mixture(values))))

    values, pull = _vjp(transformed, tensors)
    leaves = _leaves(tensors)
    first = _twice(function(*leaves), leaves)
    _close(first, values)
    mixes = mixture(values, seed=1)
    _close(gradients(first, mixes, leaves), pull(mixes))


def double_backward_through_carried_states(case: Case) -> None:
    """Where one fold's initial states come from another with the same parameters."""
    function, tensors = folded(case)
    first, second = len(case.system.inputs), len(case.system.inputs) + len(case.system.states)

    def chained(*ts: Tensor) -> tuple[Tensor, ...]:
        y, *last = function(*ts)
        return (y, *function(*ts[:first], *last, *ts[second:]))

    def transformed(*ts: Tensor) -> list[Tensor]:
        values, pull = _vjp(chained, ts)
        return list(pull(tuple(mixture(values))))

    values, pull = _vjp(transformed, tensors)
    leaves = _leaves(tensors)
    found = _twice(chained(*leaves), leaves)
    _close(found, values)
    mixes = mixture(values, seed=1)
    _close(gradients(found, mixes, leaves), pull(mixes))
