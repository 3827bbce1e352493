"""The tangent equations of random cells, evaluated as written."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given

from cellwise.autodiff.forward import tangent
from cellwise.cell import Cell
from cellwise.graph.verify import verify
from tests.evaluate import evaluate
from tests.gradients import tangent_feed
from tests.laws.case import Case, cases
from tests.laws.derivatives import (
    GRAD,
    direction,
    forward_and_backward_are_adjoint,
    forward_mode_agrees_with_differences,
    pushed,
    with_open_sizes,
)
from tests.laws.margins import is_tame


@given(case=cases())
def test_forward_mode_agrees_with_central_differences(case: Case) -> None:
    assume(is_tame(case.system, case.feed()))
    verify(tangent(case.system).system)
    forward_mode_agrees_with_differences(case)


@given(case=cases())
def test_forward_and_backward_are_adjoint(case: Case) -> None:
    forward_and_backward_are_adjoint(case)


@given(case=cases())
def test_what_a_cell_shows_gives_the_same(case: Case) -> None:
    feed = case.feed()
    by = direction(case, feed)
    derived, wanted = pushed(case.system, feed, by)
    shown = Cell(str(case.source)).forward_mode().system
    fed = tangent_feed(case.system, derived, feed, evaluate(case.system, feed), by)
    found = evaluate(shown, with_open_sizes(case, derived, fed))
    for name in case.system.defined:
        dot = derived.names[name]
        np.testing.assert_allclose(found.signals[dot], wanted.signals[dot], **GRAD, err_msg=name)
