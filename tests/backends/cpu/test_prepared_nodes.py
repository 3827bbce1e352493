"""Folds over forests with everything prepared: the numbers of sweeps, and when they serve."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

import cellwise as cw
from cellwise.backends.cpu import CpuNodes
from cellwise.backends.cpu.prepared_nodes import PreparedNodes
from cellwise.structures.nodes import ordered
from cellwise.structures.nodes_call import NodesCall, nodes_bound_of
from tests.laws.bits import threads
from tests.laws.networks import mixture
from tests.laws.trees import DOWN, NAMES, SAMPLES, Grove, all_gradients, example, outputs

FIXED = """
    h[leaf] = tanh(b) * x[leaf]
    h[n] = exp(A) * h[left] + tanh(b) * sum(h[k] for k in n) + norm(b + c)"""
REFUSED = ("dependency", SAMPLES["scalars"])
SOURCES = [
    s for s in (*NAMES, *SAMPLES.values(), DOWN, FIXED) if s not in REFUSED and "[r]" not in s
]


@pytest.fixture
def calls(monkeypatch):
    """What was called of prepared folds."""
    found: list[str] = []

    def watch(name: str) -> None:
        method = getattr(PreparedNodes, name)

        def watched(self, *arguments: Any, **named: Any) -> Any:
            found.append(name)
            return method(self, *arguments, **named)

        monkeypatch.setattr(PreparedNodes, name, watched)

    watch("forward")
    watch("backward")
    return found


def all_of(grove: Grove) -> list[Tensor]:
    """The outputs, without a gradient and with one, and the gradients."""
    layer = grove.layer("cpu")
    with torch.no_grad():
        alone = outputs(layer, grove.x, grove.forest)
    whole = outputs(layer, grove.x, grove.forest)
    return [*alone, *whole, *all_gradients(layer, grove.x, grove.forest, mixture(whole))]


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("source", SOURCES)
def test_it_has_a_sweeps_bits(source, n_threads, calls, monkeypatch):
    grove = example(source)
    with threads(n_threads):
        found = all_of(grove)
        assert calls
        calls.clear()
        monkeypatch.setattr(CpuNodes, "prepared", lambda *_: None)
        swept = all_of(grove)
    assert not calls
    for one, other in zip(found, swept, strict=True):
        assert torch.equal(one, other)


def fold(size: int = 3) -> tuple[cw.Recursive, cw.Forest, Tensor]:
    """A layer whose leaves alone read the input."""
    layer = cw.Recursive("tree_lstm_binary", size, 4, backend="cpu")
    forest = cw.Forest.from_children([[[1, 2], [], [3, 4], [], []], [[]]]).binary()
    return layer, forest, torch.randn(len(forest.leaves), size)


def test_inputs_of_leaves_alone_have_the_gradient_of_whole_ones(calls):
    layer, forest, x = fold()
    whole = torch.zeros(forest.n_nodes, x.shape[1])
    whole[torch.from_numpy(forest.leaves.copy())] = x
    found = []
    for rows in (x, whole):
        rows.requires_grad_()
        y, _ = layer(rows, forest)
        (d_rows,) = torch.autograd.grad(y.square().sum(), rows)
        found.append((y, d_rows))
    (y, d_x), (y_whole, d_whole) = found
    assert torch.equal(y, y_whole)
    assert torch.equal(d_x, d_whole[torch.from_numpy(forest.leaves.copy())])
    assert torch.count_nonzero(d_whole[torch.from_numpy(forest.n_children > 0)]) == 0
    assert calls == ["forward", "backward"] * 2


@pytest.mark.parametrize("sent", ["outputs", "ends", "both"])
@pytest.mark.parametrize(
    ("source", "leaves_alone"),
    [("tree_lstm", False), *product(["tree_lstm_binary", FIXED], [False, True])],
)
def test_cotangents_of_outputs_and_of_ends_come_alone_or_together(
    source, leaves_alone, sent, calls
):
    forest = cw.Forest.from_children([[[1, 2], [], [3, 4], [], []], [[]]]).binary()
    layers = [cw.Recursive(source, 4, 4, backend=b).double() for b in ("cpu", "reference")]
    layers[1].load_state_dict(layers[0].state_dict())
    x = torch.randn(len(forest.leaves) if leaves_alone else forest.n_nodes, 4).double()
    found = []
    for layer in layers:
        y, *ends = outputs(layer, x.requires_grad_(), forest)
        chosen = {"outputs": [y], "ends": ends, "both": [y, *ends]}[sent]
        loss = torch.cat([one.flatten() for one in chosen]).square().sum()
        wanted = [x, *layer.parameters()]
        found.append(torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
    assert calls.count("backward") == 1


def test_arrays_of_another_form_go_to_a_sweep(calls):
    layer, forest, x = fold()
    wanted, _ = layer(x, forest)
    assert calls == ["forward"]
    weight = layer._layers[0].weight("W_il")
    weight.data = weight.data.t().contiguous().t()
    y, _ = layer(x, forest)
    assert torch.equal(y, wanted)
    assert calls == ["forward"]
    y, _ = layer(x.t().contiguous().t(), forest)
    assert torch.equal(y, wanted)


def test_a_backward_that_is_differentiated_goes_by_torch(calls):
    layer, forest, x = fold()
    x.requires_grad_()
    (d_x,) = torch.autograd.grad(layer(x, forest)[0].sum(), x, create_graph=True)
    d_x.square().sum().backward()
    assert calls == ["forward"]
    assert x.grad is not None and torch.count_nonzero(x.grad)


def test_what_is_prepared_is_kept_with_the_forest():
    layer, forest, x = fold()
    (one,) = layer._layers
    for number_of_threads in (1, 2):
        with threads(number_of_threads):
            made = [_call(one, forest, x).prepared() for _ in range(2)]
        assert isinstance(made[0], PreparedNodes)
        assert made[0] is made[1]
    again = forest.select([0, 1])
    assert _call(one, again, x).prepared() is not made[0]


def _call(layer: Any, forest: cw.Forest, x: Tensor) -> NodesCall:
    order = ordered(forest, leaf=True, down=False)
    return NodesCall(nodes_bound_of(layer._key), order, x, [layer.weight(n) for n in layer._used])


def test_too_few_rows_are_an_error_not_foreign_memory():
    layer, forest, x = fold()
    (inner,) = layer._layers
    for rows in (x[:2], x[:0]):
        with pytest.raises(cw.ShapeError, match="must have shape"):
            inner(rows, forest)


def test_rows_of_leaves_do_not_do_where_all_nodes_read_them():
    layer = cw.Recursive("tree_lstm", 3, 4, backend="cpu")
    forest = cw.Forest.from_children([[[1, 2], [], [3, 4], [], []]])
    with pytest.raises(cw.ShapeError, match="must have shape"):
        layer._layers[0](torch.randn(3, 3), forest)


def test_cells_without_parameters_are_prepared_too():
    layer = cw.Recursive("h[n] = tanh(x[n] + sum(h[k] for k in n))", 3, 3)
    forest = cw.Forest.from_parents([[-1, 0, 0]])
    order = ordered(forest, leaf=False, down=False)
    key = str(layer.get_submodule("layer0")._key)
    call = NodesCall(nodes_bound_of(key), order, torch.randn(3, 3), [])
    made = call.prepared()
    assert made is not None
    assert made.fits(call.inputs, [], keep=True)
