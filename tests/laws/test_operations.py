"""What must be true of every operation: a row in every table, derivatives, and saturated values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cellwise.autodiff.rules import RULES
from cellwise.backends.emit import EMIT
from cellwise.equation import latex, symbols
from cellwise.graph.build import build, read
from cellwise.graph.dimension import Dim
from cellwise.graph.node import Attribute, Node
from cellwise.graph.operations import OPERATIONS
from cellwise.graph.system import Equation, System
from tests.autodiff.test_rules import CASES, NOT_OVER, POSITIVE, system_of
from tests.evaluate import OPERATE, evaluate
from tests.laws import derivatives, folds
from tests.laws.case import Case
from tests.laws.margins import COMPARING, DISTANCE, SMOOTH, is_tame

RELATIVE = folds.EXACT["rtol"]
"""Where functions saturate, what is left of them is tiny: no absolute tolerance."""
OVER = {name for name, row in OPERATIONS.items() if row.kind == "over"}
INTERNAL = {name for name, row in OPERATIONS.items() if row.kind == "internal"}
LEAVES = {name for name, row in OPERATIONS.items() if row.kind == "leaf"}


def test_every_operation_has_a_row_in_every_table() -> None:
    written = {*OPERATIONS} - INTERNAL
    assert {*RULES} == written
    assert {*EMIT} - INTERNAL == written - LEAVES - OVER
    assert {*OPERATE} - INTERNAL == written - LEAVES - OVER
    assert {*symbols.SYMBOLS} == written
    assert {*latex.LATEX} == written


def _case(specimen: tuple[str, str, tuple[Attribute, ...]], seed: int) -> Case:
    """A system of one operation on inputs, away from its kinks."""
    system = system_of(*specimen)
    for further in range(20):
        case = Case(system, (3, 2, 4), (3, 1), seed + 100 * further, specimen[0] in POSITIVE)
        if is_tame(system, case.feed()):
            return case
    raise AssertionError("no data away from the kinks")


@pytest.mark.parametrize("specimen", CASES, ids=str)
def test_an_operation_keeps_all_laws_of_derivatives(specimen) -> None:
    case = _case(specimen, 1)
    derivatives.forward_mode_agrees_with_differences(case)
    derivatives.backward_agrees_with_differences(case)
    derivatives.second_order_agrees_with_differences(case)
    derivatives.forward_and_backward_are_adjoint(case)


@pytest.mark.parametrize("specimen", CASES, ids=str)
def test_an_operation_keeps_all_laws_of_folds(specimen) -> None:
    case = _case(specimen, 2)
    folds.fold_equals_the_equations_as_written(case)
    folds.derived_backward_equals_autograd(case)
    folds.forward_mode_is_the_adjoint_of_the_derived_backward(case)
    folds.vmap_equals_a_loop(case)
    folds.double_backward_equals_that_of_the_reference(case)


def _on_numbers(name: str, *values: float) -> Case:
    """An operation on vectors of one element."""
    size = (Dim.of("a"),)
    arguments: list[Node] = [read(f"a{i}", "t", size) for i in range(len(values))]
    system = System((Equation("y", "t", build(name, *arguments)),), "y")
    case = Case(system, (1,), (1,), 0)
    for place, value in enumerate(values):
        case.arrays["input", f"a{place}", 0] = np.array([[value]])
    return case


def _alone(name: str, *values: float) -> tuple[np.ndarray, list[np.ndarray], torch.Tensor]:
    """Value and derivatives of an operation, as written and folded, on vectors of one element."""
    case = _on_numbers(name, *values)
    system, feed = case.system, case.feed()
    sent = derivatives.sent_back(case, feed)
    weights, _ = derivatives.mixture(case, feed)
    function, tensors = folds.folded(case)
    leaves = [t.requires_grad_() for t in tensors]
    (y,) = function(*leaves)
    grads = torch.autograd.grad(y.sum(), leaves, allow_unused=True)
    for place, grad in enumerate(grads):
        found = 0.0 if grad is None else float(grad)
        np.testing.assert_allclose(found * weights, sent[f"a{place}"], rtol=RELATIVE)
    trace = evaluate(system, feed).signals["y"]
    return trace, [sent[f"a{i}"] / weights for i in range(len(values))], y.detach()


INF = math.inf
LIMITS = [
    # name, at, value, slope: a limit of the function, and of its derivative
    ("tanh", -INF, -1.0, 0.0),
    ("tanh", INF, 1.0, 0.0),
    ("sigmoid", -INF, 0.0, 0.0),
    ("sigmoid", INF, 1.0, 0.0),
    ("erf", -INF, -1.0, 0.0),
    ("erf", INF, 1.0, 0.0),
    ("hard_tanh", -INF, -1.0, 0.0),
    ("hard_tanh", INF, 1.0, 0.0),
    ("hard_sigmoid", -INF, 0.0, 0.0),
    ("hard_sigmoid", INF, 1.0, 0.0),
    ("step", -INF, 0.0, 0.0),
    ("step", INF, 1.0, 0.0),
    ("sign", -INF, -1.0, 0.0),
    ("sign", INF, 1.0, 0.0),
    ("exp", -INF, 0.0, 0.0),
    ("relu", -INF, 0.0, 0.0),
    ("softplus", -INF, 0.0, 0.0),
]
"""silu and gelu are not here: at -inf they are a product 0 · inf, which is NaN in torch too."""


@pytest.mark.parametrize(("name", "at", "value", "slope"), LIMITS)
def test_an_operation_reaches_its_limit_at_infinity(name, at, value, slope) -> None:
    written, slopes, folded = _alone(name, at)
    assert float(written.item()) == float(folded) == value
    assert float(slopes[0].item()) == slope


SATURATED = [
    (name, value)
    for name in NOT_OVER
    if OPERATIONS[name].kind == "elementwise" and OPERATIONS[name].arity == (1, 1)
    for value in (-100.0, -50.0, 50.0, 100.0)
    if value > 0 or name not in POSITIVE
]


@pytest.mark.parametrize(("name", "value"), SATURATED)
def test_a_saturated_operation_is_finite_and_agrees(name, value) -> None:
    written, slopes, folded = _alone(name, value)
    np.testing.assert_allclose(folded.numpy().reshape(written.shape), written, rtol=RELATIVE)
    assert np.isfinite(written).all()
    assert np.isfinite(slopes[0]).all()


@pytest.mark.parametrize("value", [-20.0, -8.0, -3.5, 3.5, 8.0, 20.0])
@pytest.mark.parametrize("name", dict(SATURATED))
def test_a_nearly_saturated_operation_agrees(name, value) -> None:
    """Where what is left of a function is small but not negligible."""
    case = _on_numbers(name, abs(value) if name in POSITIVE else value)
    folds.fold_equals_the_equations_as_written(case)
    folds.derived_backward_equals_autograd(case)


@pytest.mark.parametrize(("first", "second"), [(1.0, -INF), (-INF, 1.0), (50.0, -100.0)])
@pytest.mark.parametrize("name", ["maximum", "minimum", "greater"])
def test_a_comparison_with_infinity_is_finite_where_the_taken_side_is(name, first, second) -> None:
    signs = -1 if name == "minimum" else 1
    written, slopes, folded = _alone(name, signs * first, signs * second)
    assert np.isfinite(written).all()
    assert np.isfinite(slopes).all()
    assert float(folded) == float(written.item())


@pytest.mark.parametrize(
    "name", ["softmax", "largest", "smallest", "is_largest", "norm", "inverse_std"]
)
@pytest.mark.parametrize("values", [(100.0, -100.0, 50.0), (1e8, -1e8, 0.0), (50.0, 50.0, 50.0)])
def test_a_saturated_vector_is_finite_and_agrees(name, values) -> None:
    system = System((Equation("y", "t", build(name, read("a", "t", (Dim.of("a"),)))),), "y")
    case = Case(system, (len(values),), (1,), 0)
    case.arrays["input", "a", 0] = np.array([values])
    folds.fold_equals_the_equations_as_written(case)
    assert all(np.isfinite(g).all() for g in derivatives.sent_back(case, case.feed()).values())
    function, tensors = folds.folded(case)
    (y,) = function(*[t.requires_grad_() for t in tensors])
    assert torch.isfinite(y).all()
    grads = torch.autograd.grad(y.sum(), tensors, allow_unused=True)
    assert all(grad is None or torch.isfinite(grad).all() for grad in grads)


def test_a_masked_softmax_is_finite() -> None:
    system = System((Equation("y", "t", build("softmax", read("a", "t", (Dim.of("a"),)))),), "y")
    case = Case(system, (3,), (1,), 0)
    case.arrays["input", "a", 0] = np.array([[0.5, -INF, 1.0]])
    folds.fold_equals_the_equations_as_written(case)
    folds.derived_backward_equals_autograd(case)


def test_every_operation_knows_its_kinks() -> None:
    """An operation whose derivative jumps is one that laws with differences stay clear of."""
    jumping = {"abs", "sign", "step", "relu", "hard_sigmoid", "hard_tanh", "greater"}
    jumping |= {"maximum", "minimum", "largest", "smallest", "is_largest"}
    assert jumping | {"norm", "inverse_std"} == {*DISTANCE, *COMPARING}
    assert SMOOTH.isdisjoint(jumping)
