"""Each pass, alone and in its place in the pipeline, keeps values and gradients of random cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given

from cellwise.autodiff.derivative import Derivative
from cellwise.autodiff.forward import tangent
from cellwise.autodiff.reverse import backward
from cellwise.graph.system import System
from cellwise.graph.verify import verify
from cellwise.passes import pipeline
from cellwise.passes.pipeline import Pass, compile_system
from cellwise.passes.simplify import simplify
from tests.evaluate import Array, Feed, evaluate
from tests.gradients import back_feed, tangent_feed
from tests.laws.case import Case, cases
from tests.laws.derivatives import GRAD, direction, mixture, sent_back
from tests.passes.compiled import run

OF_CELLS = tuple(dict.fromkeys((*pipeline.PREPARE, *pipeline.FORWARD)))
OF_DERIVATIVES = tuple(dict.fromkeys((*pipeline.READABLE, *pipeline.BACKWARD)))


def _assert_kept(one: Pass, system: System, feed: Feed) -> None:
    """The pass keeps every signal that it keeps at all, the output, the states and the totals."""
    changed = one(system)
    verify(changed)
    assert changed.output == system.output
    assert {line.name for line in changed.totals} >= {line.name for line in system.totals}
    before, after = evaluate(system, feed), evaluate(changed, feed)
    for name in {*system.defined} & {*changed.defined}:
        _assert_same(after.signals[name], before.signals[name], name)
    for name in {*system.states} & {*changed.defined}:
        _assert_same(after.signals[name], before.signals[name], name)
    for name, wanted in before.totals.items():
        _assert_same(after.totals[name], wanted, name)


def _assert_same(found: Array, wanted: Array, name: str) -> None:
    np.testing.assert_allclose(found, wanted, **GRAD, err_msg=name)


SIGNS = "h[t] = tanh(h[t-1] - (W @ x[t] - (V @ x[t] - (h[t-1] - (b - U @ x[t])))))"
"""Terms of a sum under one, two and more subtractions."""


@pytest.mark.parametrize("one", OF_CELLS, ids=lambda one: one.__name__)
@example(case=Case(SIGNS, (2, 3), (2,), 0))
@given(case=cases())
def test_a_pass_keeps_the_values_of_a_cell(one: Pass, case: Case) -> None:
    _assert_kept(one, case.system, case.feed())


@pytest.mark.parametrize("one", OF_DERIVATIVES, ids=lambda one: one.__name__)
@given(case=cases())
def test_a_pass_keeps_the_values_of_backward_equations(one: Pass, case: Case) -> None:
    feed, derived = case.feed(), backward(case.system)
    weights, edges = mixture(case, feed)
    forward = evaluate(case.system, feed)
    fed = back_feed(case.system, derived, feed, forward, weights, edges)
    _assert_kept(one, derived.system, fed)


@pytest.mark.parametrize("one", pipeline.READABLE, ids=lambda one: one.__name__)
@given(case=cases())
def test_a_pass_keeps_the_values_of_tangent_equations(one: Pass, case: Case) -> None:
    feed, derived = case.feed(), tangent(case.system)
    forward = evaluate(case.system, feed)
    by = direction(case, feed)
    _assert_kept(one, derived.system, tangent_feed(case.system, derived, feed, forward, by))


@pytest.mark.parametrize("one", OF_CELLS, ids=lambda one: one.__name__)
@given(case=cases(depth=2))
def test_a_pass_keeps_the_gradients_of_a_cell(one: Pass, case: Case) -> None:
    feed, derived = case.feed(), backward(case.system)
    changed = backward(one(case.system))
    wanted = sent_back(case, feed, derived)
    weights, edges = mixture(case, feed)
    forward = evaluate(one(case.system), feed)
    fed = back_feed(case.system, changed, feed, forward, weights, edges)
    back = evaluate(changed.system, fed)
    for name in case.system.inputs:
        if name in changed.names:  # else it was simplified away: its gradient is zero
            _assert_same(back.signals[changed.names[name]], wanted[name], name)
        else:
            assert not wanted[name].any()
    for name in case.system.parameters:
        if name in changed.names:
            _assert_same(back.totals[changed.names[name]], wanted[name], name)
        else:
            assert not wanted[name].any()


def _assert_program(case: Case) -> None:
    system, feed = case.system, case.feed()
    weights, edges = mixture(case, feed)
    compiled = compile_system(system, verify=True)
    assert compiled.forward.system.states == system.states
    assert compiled.forward.system.inputs == system.inputs
    assert {*compiled.forward.system.parameters} == {*system.parameters}
    forward, found = run(system, compiled, feed, weights, edges)
    written = evaluate(system, feed)
    for name in system.defined:
        _assert_same(forward.signals[name], written.signals[name], name)
    for name, wanted in sent_back(case, feed).items():
        _assert_same(found[name], wanted, name)


BEHIND = """
a[t] = x[t] * c[t-1]
h[t] = tanh(W @ h[t-1] + x[t])
c[t] = tanh(U @ h[t-1])
y[t] = a[t] + c[t-1]
"""
"""States that nothing in the loop reads: all lines stand behind it, in an order of their own."""


@example(case=Case(BEHIND, (2,), (3,), 0))
@given(case=cases())
def test_the_pipeline_keeps_values_and_gradients(case: Case) -> None:
    _assert_program(case)


@given(case=cases())
def test_the_pipeline_is_deterministic(case: Case) -> None:
    again = Case(case.source, case.dimensions, case.lengths, case.seed)
    assert compile_system(case.system) == compile_system(again.system)


@given(case=cases())
def test_readable_passes_reach_a_fixpoint(case: Case) -> None:
    derived: Derivative = backward(case.system)
    once = simplify(derived.system)
    assert simplify(once) == once
