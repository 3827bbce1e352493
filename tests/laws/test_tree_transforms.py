"""Folds over forests: torch transforms, copies, precisions, and rows that nobody reads."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cellwise.layers import Recursive
from tests.laws.networks import gradients, mixture
from tests.laws.structures import BITWISE, close
from tests.laws.trees import (
    BACKENDS,
    EVERY,
    NAMES,
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


@EVERY
@few
@given(data=st.data())
def test_vmap_equals_a_loop(name: str, data: st.DataObject) -> None:
    """Over input and parameters at once."""
    grove = data.draw(groves(name))
    function, weights = function_of(grove.layer(), grove.forest)
    several = [torch.stack([t, 0.5 * t, -t]) for t in (grove.x, *weights)]
    whole = torch.func.vmap(function)(*several)
    for place in range(3):
        close([w[place] for w in whole], function(*(t[place] for t in several)), EXACT)


@EVERY
@few
@given(data=st.data())
def test_forward_mode_is_the_adjoint_of_the_derived_backward(
    name: str, data: st.DataObject
) -> None:
    grove = data.draw(groves(name))
    layer = grove.layer()
    function, weights = function_of(layer, grove.forest)
    tensors = (grove.x, *weights)
    tangents = mixture(tensors, seed=1)
    values, moved = torch.func.jvp(function, tensors, tuple(tangents))[:2]
    mixes = mixture(values)
    sent = all_gradients(layer, grove.x, grove.forest, mixes)
    left = sum((m * d).sum() for m, d in zip(mixes, moved, strict=True))
    right = sum((s * d).sum() for s, d in zip(sent, tangents, strict=True))
    torch.testing.assert_close(right, left, **GRAD)


@EVERY
@few
@given(data=st.data())
def test_jacobians_equal_the_derived_backward(name: str, data: st.DataObject) -> None:
    """By torch.func.jacrev and jacfwd, row by row."""
    grove = data.draw(groves(name))
    layer = grove.layer()
    function, weights = function_of(layer, grove.forest)
    jacobian = _jacobian(layer, grove)
    for found in (torch.func.jacrev(function), torch.func.jacfwd(function)):
        close([found(grove.x, *weights)[0]], [jacobian], GRAD)


def _jacobian(layer: Recursive, grove: Grove) -> Tensor:
    x = grove.x.clone().requires_grad_()
    y, _ = layer(x, grove.forest)
    units = torch.eye(y.numel(), dtype=y.dtype).reshape(-1, *y.shape)
    rows = [torch.autograd.grad(y, x, unit, retain_graph=True)[0] for unit in units]
    return torch.stack(rows).reshape(*y.shape, *x.shape)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "rntn"])
@few
@given(data=st.data())
def test_a_batch_of_cotangents_is_sent_back(name: str, data: st.DataObject) -> None:
    """But for `rntn`: here torch has no batching rule for einsum."""
    grove = data.draw(groves(name))
    layer, x = grove.layer(), grove.x.clone().requires_grad_()
    y, _ = layer(x, grove.forest)
    units = torch.eye(y.numel(), dtype=y.dtype).reshape(-1, *y.shape)
    (rows,) = torch.autograd.grad(y, x, units, is_grads_batched=True)
    close([rows.reshape(*y.shape, *x.shape)], [_jacobian(layer, grove)], GRAD)


# Copies, precisions, what is not read


@EVERY
def test_copies_from_elsewhere_compute_the_same(name: str) -> None:
    grove = example(name)
    layer = grove.layer()
    wanted = outputs(layer, grove.x, grove.forest)
    for other in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):  # noqa: S301 - our own
        close(outputs(other, grove.x, pickle.loads(pickle.dumps(grove.forest))), wanted, BITWISE)  # noqa: S301


@BACKENDS
@EVERY
@few
@given(data=st.data())
def test_single_precision_is_near_double(backend: str, name: str, data: st.DataObject) -> None:
    grove = data.draw(groves(name))
    layer = grove.layer(backend)
    wanted = outputs(layer, grove.x, grove.forest)
    found = outputs(layer.float(), grove.x.float(), grove.forest)
    assert all(t.dtype == torch.float32 for t in found)
    close(found, [t.float() for t in wanted], TOLERANCE[torch.float32]["exact"])


@pytest.mark.parametrize("magnitude", [1.0, 50.0, 100.0, 1e4])
@BACKENDS
@EVERY
def test_a_cell_is_finite_on_large_inputs(backend: str, name: str, magnitude: float) -> None:
    grove = example(name)
    layer = grove.layer(backend).float()
    x = (grove.x.float() * magnitude).requires_grad_()
    found = outputs(layer, x, grove.forest)
    sent = gradients(found, mixture(found), [x, *layer.parameters()])
    assert all(t.isfinite().all() for t in [*found, *sent])


@BACKENDS
@pytest.mark.parametrize("name", ["recursive", "rntn", "tree_lstm_binary"])
@pytest.mark.parametrize("number", [math.nan, math.inf, 1e300])
@few
@given(data=st.data())
def test_rows_that_are_not_read_never_matter(
    backend: str, name: str, number: float, data: st.DataObject
) -> None:
    """Only leaves' rows are: inner nodes' may hold anything, or be absent."""
    grove = data.draw(groves(name, trees=True))
    layer, forest, leaves = (
        grove.layer(backend),
        grove.forest,
        torch.tensor(grove.forest.leaves),
    )
    wanted = outputs(layer, grove.x, forest)
    mixes = mixture(wanted)
    d_x, *d_weights = all_gradients(layer, grove.x, forest, mixes)
    x = torch.full_like(grove.x, number)
    x[leaves] = grove.x[leaves]
    close(outputs(layer, x, forest), wanted, BITWISE)
    close(all_gradients(layer, x, forest, mixes), [d_x, *d_weights], BITWISE)
    inner = torch.ones(len(x), dtype=torch.bool).index_fill(0, leaves, False)
    assert not d_x[inner].any()
    if len(leaves) < len(x):
        close(outputs(layer, grove.x[leaves], forest), wanted, BITWISE)
        found = all_gradients(layer, grove.x[leaves], forest, mixes)
        close(found, [d_x[leaves], *d_weights], BITWISE)


@BACKENDS
@EVERY
@few
@given(data=st.data())
def test_a_tree_of_nans_spoils_no_other(backend: str, name: str, data: st.DataObject) -> None:
    grove = data.draw(groves(name, fewest=2))
    layer, forest, x = grove.layer(backend), grove.forest, grove.x.clone()
    spoilt = data.draw(st.integers(0, forest.n_trees - 1))
    rest = torch.from_numpy(forest.tree_of_node != spoilt)
    roots = rest[torch.tensor(forest.roots)]
    y, *ends = outputs(layer, x, forest)
    x[~rest] = math.nan
    found, *last = outputs(layer, x, forest)
    close([found[rest], *(s[roots] for s in last)], [y[rest], *(s[roots] for s in ends)], BITWISE)
