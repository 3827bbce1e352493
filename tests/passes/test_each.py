"""Every pass by itself keeps values, totals and the system's form, on sample and random cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.autodiff.derivative import Derivative
from cellwise.autodiff.reverse import backward
from cellwise.equation import read_system
from cellwise.graph.system import System
from cellwise.graph.verify import verify
from cellwise.passes.accumulate import accumulate
from cellwise.passes.group import group, merge
from cellwise.passes.hoist import hoist
from cellwise.passes.name_products import name_products
from cellwise.passes.prune import prune
from cellwise.passes.share import share
from cellwise.passes.simplify import simplify
from tests.evaluate import Feed, Trace, evaluate
from tests.gradients import back_feed
from tests.laws.generate import chain_texts
from tests.samples import SAMPLES, cotangents, feed_of
from tests.tolerances import TOLERANCE

GRAD = TOLERANCE[torch.float64]["grad"]

Pass = Callable[[System], System]
PASSES: list[Pass] = [simplify, share, hoist, merge, group, accumulate]


def pruned(system: System) -> System:
    return prune(system, system.defined[1:])


def same(before: Trace, after: Trace, system: System) -> None:
    kept = {line.name for line in system.equations}
    for name, array in before.signals.items():
        if name in kept:
            np.testing.assert_allclose(after.signals[name], array, **GRAD, err_msg=name)
    assert before.totals.keys() == after.totals.keys()
    for name, array in before.totals.items():
        np.testing.assert_allclose(after.totals[name], array, **GRAD, err_msg=name)


def check(one: Pass, text: str, seed: int) -> None:
    """The pass on the cell and on its backward."""
    cell = read_system(text)
    feed = feed_of(cell, seed, 3)
    forward = evaluate(cell, feed)
    compare(one, cell, feed)
    if one is not name_products:
        weights, edges = cotangents(cell, feed, seed)
        derived = backward(cell)
        compare(one, derived.system, back_feed(cell, derived, feed, forward, weights, edges))


def compare(one: Pass, system: System, feed: Feed) -> None:
    changed = one(system)
    verify(changed)
    assert changed.output == system.output
    same(evaluate(system, feed), evaluate(changed, feed), changed)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("one", [*PASSES, name_products, pruned])
def test_keeps_values(one, name):
    check(one, SAMPLES[name], 11)


@pytest.mark.parametrize("one", PASSES)
@given(text=chain_texts(), seed=st.integers(0, 1000))
def test_keeps_values_of_random_cells(one, text, seed):
    check(one, text, seed)


@pytest.mark.parametrize("name", SAMPLES)
def test_named_products_keep_the_gradients(name):
    cell = read_system(SAMPLES[name])
    named = name_products(cell)
    verify(named)
    feed = feed_of(cell, 2, 2)
    weights, edges = cotangents(cell, feed, 2)
    sweeps = [
        (derived, evaluate(derived.system, back_feed(c, derived, feed, f, weights, edges)))
        for c in (cell, named)
        for f, derived in [(evaluate(c, feed), backward(c))]
    ]
    (one, first), (other, second) = sweeps
    assert isinstance(one, Derivative)
    for total, array in first.totals.items():
        np.testing.assert_allclose(second.totals[total], array, **GRAD)
    for signal in cell.inputs:
        mine, theirs = one.names[signal], other.names[signal]
        np.testing.assert_allclose(second.signals[theirs], first.signals[mine], **GRAD)
