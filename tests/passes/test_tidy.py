"""The derived equations that a person reads."""

from __future__ import annotations

import pytest
from hypothesis import given

from cellwise.autodiff.derivative import all_names
from cellwise.equation import read_system
from cellwise.graph.system import System
from cellwise.passes.tidy import readable_backward, readable_tangent
from tests.laws.generate import chain_texts, tree_texts


def _assert_new_names(system: System) -> None:
    """What the cell calls one thing, no derived equation calls another."""
    for derive in (readable_backward, readable_tangent):
        derived = derive(system)
        made = {line.name for line in derived.lines()}
        assert made.isdisjoint(all_names(system)), derive


@pytest.mark.parametrize(
    "text",
    [
        "v_1[t] = W @ x[t]\nh[t] = v_1[t] + exp(R @ h[t-1] * x[t])",
        "v_1[t] = W @ x[t]\nh[t] = v_1[t] + exp((R @ h[t-1] + x[t]) ** 2)",
        "v_1[n] = W @ x[n]\nh[n] = v_1[n] + exp((sum(R @ h[k] for k in n) + x[n]) ** 2)",
    ],
)
def test_names_that_the_derivative_does_not_read_are_taken(text: str) -> None:
    _assert_new_names(read_system(text))


@given(text=chain_texts())
def test_derived_names_of_random_cells_are_new(text: str) -> None:
    _assert_new_names(read_system(text))


@given(text=tree_texts())
def test_derived_names_of_random_cells_over_trees_are_new(text: str) -> None:
    _assert_new_names(read_system(text))
