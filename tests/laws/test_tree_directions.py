"""Forests turned round, chains as unary trees, and grids."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cellwise import cells
from cellwise.layers import Recurrent, Recursive
from cellwise.structures.forest import Forest
from tests.laws.networks import gradients, mixture
from tests.laws.structures import BITWISE, close
from tests.laws.trees import (
    BACKENDS,
    DOWN,
    SETS,
    Grove,
    all_gradients,
    few,
    groves,
    outputs,
)
from tests.tolerances import TOLERANCE

EXACT, GRAD, DIFFERENCE = (TOLERANCE[torch.float64][n] for n in ("exact", "grad", "difference"))


@BACKENDS
@pytest.mark.parametrize("name", SETS)
@few
@given(data=st.data())
def test_down_a_forest_is_up_the_reversed_one(backend: str, name: str, data: st.DataObject) -> None:
    grove = data.draw(groves(name))
    up, down = grove.layer(backend), grove.layer(backend, direction="down")
    back = _turned(grove)
    mixes = mixture(outputs(up, grove.x, back))
    close(outputs(down, grove.x, grove.forest), outputs(up, grove.x, back), EXACT)
    found = all_gradients(down, grove.x, grove.forest, mixes)
    close(found, all_gradients(up, grove.x, back, mixes), GRAD)


def _turned(grove: Grove) -> Forest:
    """The forest of the edges, each turned round and with its label."""
    forest = grove.forest
    edges = [[(child, node) for node, child, *_ in tree] for tree in grove.edges]
    found = Forest.from_edges(grove.n_nodes, edges)
    if forest.relations is None:
        return found
    pairs = zip(forest.children, forest.readers, strict=True)
    labels = dict(zip(pairs, forest.relations, strict=True))
    ends = zip(found.readers, found.children, strict=True)
    relations = np.array([labels[pair] for pair in ends], np.int64)
    return replace(found, relations=relations, n_relations=forest.n_relations)


@BACKENDS
@given(grove=groves(DOWN))
def test_a_parent_is_the_only_child_of_the_reversed_tree(backend: str, grove: Grove) -> None:
    turned = replace(grove, source=DOWN.replace("h[parent]", "sum(h[k] for k in n)"))
    mixes = mixture(outputs(grove.layer(backend), grove.x, grove.forest))
    one, other = grove.layer(backend), turned.layer(backend, direction="down")
    close(outputs(one, grove.x, grove.forest), outputs(other, grove.x, grove.forest), EXACT)
    found, wanted = (all_gradients(a, grove.x, grove.forest, mixes) for a in (one, other))
    close(found, wanted, GRAD)


@given(grove=groves("tree_lstm"))
def test_up_then_down_is_one_layer_after_another(grove: Grove) -> None:
    both = grove.layer(direction=("up", "down"))
    up, down = grove.layer(), replace(grove, sizes=grove.sizes[1:] * 2).layer(direction="down")
    names = both.state_dict()
    up.load_state_dict({n: names[n] for n in up.state_dict()})
    down.load_state_dict({n: names[n.replace("layer0", "layer1")] for n in down.state_dict()})
    y, _ = up(grove.x, grove.forest)
    close(outputs(both, grove.x, grove.forest), outputs(down, y, grove.forest), BITWISE)


def over_nodes(chain: str) -> str:
    """The text of a cell over sequences as one over unary trees."""
    return re.sub(r"(\w+)\[t-1\]", r"sum(\1[k] for k in n)", chain).replace("[t]", "[n]")


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("name", cells.names("chain"))
def test_a_chain_as_a_unary_tree_equals_the_chain(name: str, backend: Any) -> None:
    """Values, states and gradients; bit by bit where compiled kernels serve both."""
    lengths = [4, 1, 6]
    text = over_nodes(str(cells.get(name)))
    chain = Recurrent(name, 3, 3, dtype=torch.float64)
    tree = Recursive(text, 3, 3, dtype=torch.float64, constants=chain.constants)
    refused = tree.backend_report()["forward"].why if backend == "cpu" else ""
    if "refuses" in refused:
        pytest.skip(f"no kernel yet: {refused}")
    chain, tree = _served_alike(chain, name, text, backend)
    x = torch.randn(max(lengths), len(lengths), 3, dtype=torch.float64)
    rows = torch.cat([x[:length, place] for place, length in enumerate(lengths)])
    forest = Forest.chain(lengths)
    y, state = chain(x, lengths=torch.tensor(lengths))
    apart = [y[:length, place] for place, length in enumerate(lengths)]
    found = outputs(tree, rows, forest)
    wanted = [torch.cat(apart), *(s[0] for s in state)]
    bits = backend == "cpu"
    close(found, wanted, BITWISE if bits else EXACT)
    mixes = mixture(found)
    sent = gradients(wanted, mixes, list(chain.parameters()))
    close(gradients(found, mixes, list(tree.parameters())), sent, GRAD)


def _served_alike(
    chain: Recurrent, name: str, text: str, backend: Any
) -> tuple[Recurrent, Recursive]:
    """Two layers of one back end with the same parameters."""
    one = Recurrent(name, 3, 3, backend=backend, dtype=torch.float64)
    other = Recursive(text, 3, 3, backend=backend, dtype=torch.float64)
    with torch.no_grad():
        for weight in one.parameters():
            weight.copy_(0.4 * torch.randn_like(weight))
    other.load_state_dict(one.state_dict())
    return one, other


@BACKENDS
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (3, 4)])
def test_a_grid_equals_the_double_loop(backend: Any, shape: tuple[int, int]) -> None:
    n_rows, n_columns = shape
    grove = Grove("mdlstm", (), (), seed=1)
    layer, forest = grove.layer(backend), Forest.grid([shape, shape])
    x = torch.randn(2, n_rows, n_columns, layer.input_size, dtype=torch.float64)
    p = {n.removeprefix("layer0."): w for n, w in layer.named_parameters()}
    border = torch.zeros(2, layer.hidden_size, dtype=torch.float64)
    h: dict[tuple[int, int], Tensor] = {}
    c: dict[tuple[int, int], Tensor] = {}
    for row in range(n_rows):
        for column in range(n_columns):
            here, left, up = (row, column), (row, column - 1), (row - 1, column)
            before = torch.cat([h.get(left, border), h.get(up, border)], -1)
            total = {
                gate: x[:, row, column] @ p[f"U_{gate}"].T
                + before @ torch.cat([p[f"W_{gate}l"], p[f"W_{gate}u"]], 1).T
                + p[f"b_{gate}"]
                for gate in ("i", "fl", "fu", "o", "g")
            }
            i, f_l, f_u, o = (total[gate].sigmoid() for gate in ("i", "fl", "fu", "o"))
            c[here] = i * total["g"].tanh() + f_l * c.get(left, border) + f_u * c.get(up, border)
            h[here] = o * c[here].tanh()
    places = [(row, column) for row in range(n_rows) for column in range(n_columns)]
    wanted = torch.stack([h[place] for place in places], 1).flatten(0, 1)
    last = (n_rows - 1, n_columns - 1)
    found = outputs(layer, x.flatten(0, 2), forest)
    close(found, [wanted, h[last], c[last]], EXACT)
