"""Every cell over trees and grids computes what its paper says, written once more in torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cellwise import cells
from cellwise.layers import Recursive
from cellwise.structures.forest import Forest
from tests.cells.formulas.trees import FORMULAS, run_over_nodes
from tests.forests import graphs, parent_lists
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
GRAD = TOLERANCE[torch.float64]["grad"]

OF_ONE_SIZE = ("recursive", "rntn")
"""Cells whose leaves are the input itself."""


@st.composite
def sets(draw: st.DrawFn) -> Forest:
    """Graphs whose children have no places, some of them trees."""
    drawn = draw(st.lists(graphs(8), min_size=1, max_size=3))
    sizes, edges = zip(*drawn, strict=True)
    whole = Forest.from_edges(list(sizes), list(edges))
    return draw(
        st.sampled_from([whole, Forest.from_parents(draw(st.lists(parent_lists(8), min_size=1)))])
    )


@st.composite
def binary(draw: st.DrawFn) -> Forest:
    """Binary trees: a leaf grows two, again and again."""
    trees = []
    for _ in range(draw(st.integers(1, 3))):
        children: list[list[int]] = [[]]
        for _ in range(draw(st.integers(0, 4))):
            leaf = draw(st.sampled_from([n for n, below in enumerate(children) if not below]))
            children[leaf] = draw(st.permutations([len(children), len(children) + 1]))
            children += [[], []]
        trees.append(children)
    return Forest.from_children(trees).binary()


@st.composite
def labelled(draw: st.DrawFn) -> Forest:
    """Trees whose edges have one of three labels."""
    trees = draw(st.lists(parent_lists(8), min_size=1, max_size=3))
    relations = [draw(st.lists(st.integers(0, 2), min_size=len(t), max_size=len(t))) for t in trees]
    return Forest.from_parents(trees, relations=relations, relation_names=3)


sizes = st.tuples(st.integers(1, 3), st.integers(1, 3))
grids = st.lists(sizes, min_size=1, max_size=2).map(Forest.grid)

FORESTS: dict[str, st.SearchStrategy[Forest]] = {
    "recursive": binary(),
    "rntn": binary(),
    "tree_lstm": sets(),
    "tree_lstm_binary": binary(),
    "tree_gru": sets(),
    "dependency": labelled(),
    "mdlstm": grids,
}


def drawn(name: str, forest: Forest) -> tuple[Recursive, Tensor]:
    """A layer with random parameters, and an input [N, I]."""
    torch.manual_seed(len(name))
    size = 4 if name in OF_ONE_SIZE else 2
    layer = Recursive(name, size, 4, n_relations=3, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer, torch.randn(forest.n_nodes, size, dtype=torch.float64)


def formula(name: str, layer: Recursive, x: Tensor, forest: Forest) -> tuple[Tensor, list[Tensor]]:
    """The output of every node and the states at the roots, by the formula."""
    parameters = {k.removeprefix("layer0."): value for k, value in layer.named_parameters()}
    y, signals = run_over_nodes(FORMULAS[name], x, forest, parameters, layer.cell.output)
    return y, [signals[state] for state in layer.cell.states]


def test_every_cell_over_trees_has_a_formula() -> None:
    assert set(FORMULAS) == set(FORESTS) == set(cells.names("tree"))


@pytest.mark.parametrize("name", cells.names("tree"))
@given(data=st.data())
def test_values_and_states(name: str, data: st.DataObject) -> None:
    forest = data.draw(FORESTS[name])
    layer, x = drawn(name, forest)
    y, state = layer(x, forest)
    wanted, ends = formula(name, layer, x, forest)
    torch.testing.assert_close(y, wanted, **EXACT)
    for found, end in zip(state, ends, strict=True):
        torch.testing.assert_close(found, end, **EXACT)


@pytest.mark.parametrize("name", cells.names("tree"))
@given(data=st.data())
def test_gradients(name: str, data: st.DataObject) -> None:
    forest = data.draw(FORESTS[name])
    layer, x = drawn(name, forest)
    weights = [x.requires_grad_(), *layer.parameters()]

    def gradients(y: Tensor, ends: list[Tensor]) -> tuple[Tensor, ...]:
        total = y.square().sum() + sum(end.sum() for end in ends)
        return torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True)

    y, state = layer(x, forest)
    for our, their in zip(
        gradients(y, list(state)), gradients(*formula(name, layer, x, forest)), strict=True
    ):
        torch.testing.assert_close(our, their, **GRAD)
