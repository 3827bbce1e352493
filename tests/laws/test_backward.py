"""The backward equations of random cells, evaluated as written, against central differences."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given

from cellwise.autodiff.derivative import Derivative
from cellwise.autodiff.reverse import backward
from cellwise.cell import Cell
from cellwise.equation import read_system, show
from cellwise.graph.verify import verify
from tests.laws.case import Case, cases
from tests.laws.derivatives import (
    GRAD,
    backward_agrees_with_differences,
    second_order_agrees_with_differences,
    sent_back,
)
from tests.laws.margins import is_tame


@given(case=cases())
def test_backward_agrees_with_central_differences(case: Case) -> None:
    assume(is_tame(case.system, case.feed()))
    verify(backward(case.system).system)
    backward_agrees_with_differences(case)


@given(case=cases(depth=2))
def test_second_order_agrees_with_central_differences(case: Case) -> None:
    assume(is_tame(case.system, case.feed()))
    second_order_agrees_with_differences(case)


def _assert_same_gradients(case: Case, derived: Derivative, again: Derivative) -> None:
    wanted, found = (sent_back(case, case.feed(), d) for d in (derived, again))
    for name, gradient in wanted.items():
        np.testing.assert_allclose(found[name], gradient, **GRAD, err_msg=name)


@given(case=cases())
def test_printed_and_read_again_it_gives_the_same(case: Case) -> None:
    derived = backward(case.system)
    for style in ("text", "unicode"):
        system = read_system(show(derived.system, style))
        _assert_same_gradients(
            case, derived, Derivative(system, derived.names, derived.out, derived.previous)
        )


@given(case=cases())
def test_what_a_cell_shows_gives_the_same(case: Case) -> None:
    derived = backward(case.system)
    system = Cell(str(case.source)).backward().system
    _assert_same_gradients(
        case, derived, Derivative(system, derived.names, derived.out, derived.previous)
    )
