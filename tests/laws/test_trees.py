"""Cells over any forest: values, gradients, batches, numbers of nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import cellwise as cw
from cellwise.layers import Recursive
from cellwise.structures.forest import Forest
from tests.laws.networks import mixture
from tests.laws.structures import close
from tests.laws.tree_recursion import Recursion
from tests.laws.trees import (
    BACKENDS,
    EVERY,
    SETS,
    SOURCES,
    Grove,
    all_gradients,
    example,
    few,
    function_of,
    groves,
    outputs,
)
from tests.tolerances import TOLERANCE

EXACT, GRAD, DIFFERENCE = (TOLERANCE[torch.float64][n] for n in ("exact", "grad", "difference"))


@BACKENDS
@given(grove=groves())
def test_random_cells_equal_a_plain_recursion(backend: str, grove: Grove) -> None:
    equals_a_plain_recursion(grove, backend)


@BACKENDS
@pytest.mark.parametrize("source", SOURCES)
@few
@given(data=st.data())
def test_known_cells_equal_a_plain_recursion(
    backend: str, source: str, data: st.DataObject
) -> None:
    equals_a_plain_recursion(data.draw(groves(source)), backend)


def equals_a_plain_recursion(grove: Grove, backend: str) -> None:
    """The output of every node, and the states where the sweep ends."""
    layer = grove.layer(backend)
    y, ends = Recursion(layer, grove.x, grove.forest).outputs()
    wanted = [torch.from_numpy(np.asarray(a, dtype=float)) for a in (y, *ends)]
    close(outputs(layer, grove.x, grove.forest), wanted, EXACT)
    with torch.no_grad():  # less is kept
        close(outputs(layer, grove.x, grove.forest), wanted, EXACT)


# Gradients


@BACKENDS
@given(grove=groves())
def test_gradients_of_random_cells_are_those_of_autograd(backend: str, grove: Grove) -> None:
    gradients_are_those_of_autograd(grove, backend)


@BACKENDS
@pytest.mark.parametrize("source", SOURCES)
@few
@given(data=st.data())
def test_gradients_of_known_cells_are_those_of_autograd(
    backend: str, source: str, data: st.DataObject
) -> None:
    gradients_are_those_of_autograd(data.draw(groves(source)), backend)


def gradients_are_those_of_autograd(grove: Grove, backend: str) -> None:
    """The derived backward against torch's own through the reference."""
    layer = grove.layer(backend)
    function, weights = function_of(layer, grove.forest)
    values, pull = torch.func.vjp(function, grove.x, *weights)[:2]
    mixes = mixture(values)
    close(all_gradients(layer, grove.x, grove.forest, mixes), pull(tuple(mixes)), GRAD)


@BACKENDS
@pytest.mark.parametrize("source", SOURCES)
def test_gradients_agree_with_central_differences(backend: str, source: str) -> None:
    grove = example(source)
    function, weights = function_of(grove.layer(backend), grove.forest)
    tensors = [t.clone().requires_grad_() for t in (grove.x, *weights)]
    assert torch.autograd.gradcheck(function, tensors, **DIFFERENCE)


@pytest.mark.parametrize("source", SOURCES)
def test_second_derivatives_agree_with_central_differences(source: str) -> None:
    grove = example(source)
    function, weights = function_of(grove.layer(), grove.forest)
    tensors = [t.clone().requires_grad_() for t in (grove.x, *weights)]
    assert torch.autograd.gradgradcheck(function, tensors, **DIFFERENCE)


# Batches and numbers


@BACKENDS
@given(grove=groves(fewest=2))
def test_a_batch_equals_its_trees_one_by_one(backend: str, grove: Grove) -> None:
    a_batch_equals_its_trees_one_by_one(grove, backend)


@BACKENDS
@EVERY
@few
@given(data=st.data())
def test_a_batch_of_the_zoo_equals_its_trees(backend: str, name: str, data: st.DataObject) -> None:
    a_batch_equals_its_trees_one_by_one(data.draw(groves(name, fewest=2)), backend)


def a_batch_equals_its_trees_one_by_one(grove: Grove, backend: str) -> None:
    """Outputs, states and gradients; states at the roots follow the trees."""
    layer, forest = grove.layer(backend), grove.forest
    whole = outputs(layer, grove.x, forest)
    ends = forest.leaves if _runs_down(grove) else forest.roots
    mixes, sums = mixture(whole), [torch.zeros_like(w) for w in layer.parameters()]
    d_x, *d_weights = all_gradients(layer, grove.x, forest, mixes)
    for tree in range(forest.n_trees):
        first, last = int(forest.bounds[tree]), int(forest.bounds[tree + 1])
        mine = torch.from_numpy((first <= ends) & (ends < last))
        alone, x = forest.select([tree]), grove.x[first:last]
        parts = [whole[0][first:last], *(s[mine] for s in whole[1:])]
        close(outputs(layer, x, alone), parts, EXACT)
        cotangents = [mixes[0][first:last], *(m[mine] for m in mixes[1:])]
        own, *found = all_gradients(layer, x, alone, cotangents)
        close([own], [d_x[first:last]], GRAD)
        sums = [total + part for total, part in zip(sums, found, strict=True)]
    close(sums, d_weights, GRAD)


def _runs_down(grove: Grove) -> bool:
    return any(index == "parent" for _, index in grove.cell.system.reads())


@BACKENDS
@given(grove=groves(), data=st.data())
def test_renumbering_nodes_permutes_outputs(
    backend: str, grove: Grove, data: st.DataObject
) -> None:
    """Within each tree, whatever the children's order; labels go with their edges."""
    numbers = [data.draw(st.permutations(range(n))) for n in grove.n_nodes]
    edges = tuple(
        tuple((number[node], number[child], *slot) for node, child, *slot in tree)
        for number, tree in zip(numbers, grove.edges, strict=True)
    )
    moved = replace(grove, edges=edges)
    starts = grove.forest.bounds[:-1]
    new = torch.tensor([s + n for s, number in zip(starts, numbers, strict=True) for n in number])
    forest = _labelled_as(grove.forest, moved.forest, new)
    layer, x = grove.layer(backend), torch.zeros_like(grove.x)
    x[new] = grove.x
    y, *_ = outputs(layer, grove.x, grove.forest)
    found, *_ = outputs(layer, x, forest)
    close([found[new]], [y], EXACT)


def _labelled_as(one: Forest, other: Forest, new: Tensor) -> Forest:
    """The other forest with the labels of the first, whose node i is its node new[i]."""
    if one.relations is None:
        return other
    slots = [
        np.zeros(len(f.children), np.int64) if f.slots is None else f.slots for f in (one, other)
    ]
    edges = zip(one.readers, one.children, slots[0], one.relations, strict=True)
    labels = {(int(new[a]), int(new[b]), int(slot)): label for a, b, slot, label in edges}
    ends = zip(other.readers, other.children, slots[1], strict=True)
    found = [labels[int(a), int(b), int(slot)] for a, b, slot in ends]
    return replace(other, relations=np.array(found, np.int64))


@BACKENDS
@pytest.mark.parametrize("name", SETS)
@few
@given(data=st.data())
def test_the_order_of_children_does_not_matter(
    backend: str, name: str, data: st.DataObject
) -> None:
    grove = data.draw(groves(name))
    forest, x, layer = grove.forest, grove.x, grove.layer(backend)
    pieces = [range(a, b) for a, b in zip(forest.first, forest.first[1:], strict=False)]
    order = [edge for edges in pieces for edge in data.draw(st.permutations(edges))]
    labels = None if forest.relations is None else forest.relations[order]
    moved = replace(forest, children=forest.children[order], relations=labels)
    mixes = mixture(outputs(layer, x, forest))
    close(outputs(layer, x, moved), outputs(layer, x, forest), EXACT)
    close(all_gradients(layer, x, moved, mixes), all_gradients(layer, x, forest, mixes), GRAD)


@BACKENDS
def test_a_node_is_computed_once_however_many_read_it(backend: Any) -> None:
    """A ladder of 40 steps has a million million ways to its end."""
    edges = tuple((n, m) for n in range(2, 80) for m in (n - 1, n - 2))
    grove = Grove("h[n] = tanh(U @ x[n] + 0.3 * sum(h[k] for k in n))", (80,), (edges,))
    equals_a_plain_recursion(grove, backend)


@pytest.mark.slow
@BACKENDS
def test_deep_trees_and_large_forests(backend: Any) -> None:
    """No recursion in Python, and no step for each tree."""
    layer = Recursive("tree_lstm", 2, 2, backend=backend)
    for forest in (Forest.chain([10_000]), Forest.chain([5] * 100_000)):
        y, state = layer(torch.randn(forest.n_nodes, 2), forest)
        (y.sum() + state.c.sum()).backward()
        assert y.isfinite().all()


def test_no_nodes_at_all() -> None:
    layer = cw.Recursive("tree_lstm", 2, 3)
    y, state = layer(torch.zeros(0, 2), Forest.from_parents([]))
    assert y.shape == (0, 3)
    assert state.h.shape == state.c.shape == (0, 3)
