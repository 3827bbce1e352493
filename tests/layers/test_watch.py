"""`Watch`: a stepper follows its layer, whatever changes the weights."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim
from torch.nn.utils import parametrize, prune

import cellwise as cw
from cellwise.layers.watch import Watch
from tests.layers.steps import assert_equal, data, make, stepped


def train(layer: Any, optimiser: optim.Optimizer) -> None:
    layer(data(layer))[0].sum().backward()
    optimiser.step()


def adam_step(layer: Any) -> None:
    train(layer, optim.Adam(layer.parameters(), lr=0.1))


def fused_step(layer: Any) -> None:
    train(layer, optim.Adam(layer.parameters(), lr=0.1, fused=True))


def write_in_place(layer: Any) -> None:
    with torch.no_grad():
        layer.layer1.W_i.mul_(2)


def write_a_bias(layer: Any) -> None:
    with torch.no_grad():
        layer.layer1.b_i.add_(1)


def load(layer: Any) -> None:
    layer.load_state_dict(cw.Recurrent("lstm", 5, 5, num_layers=2).state_dict())


def load_by_assignment(layer: Any) -> None:
    other = cw.Recurrent("lstm", 5, 5, num_layers=2)
    layer.load_state_dict(other.state_dict(), assign=True)


def assign_data(layer: Any) -> None:
    layer.layer0.U_f.data = torch.randn(5, 5)


def replace_parameter(layer: Any) -> None:
    layer.layer1.W_f = nn.Parameter(torch.randn(5, 5))


def share_memory_at_the_same_count(layer: Any) -> None:
    old = layer.layer0.U_f
    new = nn.Parameter(old.data)
    with torch.no_grad():
        while new._version < old._version:
            new.add_(1)
    layer.layer0.U_f = new


def to_double(layer: Any) -> None:
    layer.double()


def round_to_half(layer: Any) -> None:
    layer.half().float()


CHANGES = [
    adam_step,
    fused_step,
    write_in_place,
    write_a_bias,
    load,
    load_by_assignment,
    assign_data,
    replace_parameter,
    share_memory_at_the_same_count,
    to_double,
    round_to_half,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_changed_weights_are_noticed(change: Callable[[Any], None]) -> None:
    layer = make(num_layers=2)
    step = layer.stepper(3)
    old = stepped(step, data(layer, 3))
    change(layer)
    assert_equal(step, layer, data(layer, 3))
    assert not torch.equal(stepped(layer.stepper(3), data(layer, 3)), old)
    assert step.backend == "cpu"


def test_a_change_in_mid_stream_keeps_the_state() -> None:
    layer = make()
    step, x = layer.stepper(2), data(layer, 2)
    step(x[0])
    state = step.state
    layer.double()
    assert step.state.c.dtype == torch.float64
    y = step(x[1].double())
    with torch.no_grad():
        assert torch.equal(y, layer(x[1:2].double(), state)[0][0])


class Symmetric(nn.Module):
    def forward(self, matrix: Tensor) -> Tensor:
        """A symmetric matrix."""
        return matrix + matrix.mT


def test_computed_weights_are_computed_at_every_step() -> None:
    layer = make()
    step, x = layer.stepper(), data(layer)
    parametrize.register_parametrization(layer.layer0, "W_i", Symmetric())
    assert_equal(step, layer, x)
    assert step.backend == "cpu"
    assert step.why.endswith(
        "; as a whole call at every step, because layer0.W_i is no plain parameter"
    )
    with torch.no_grad():
        layer.layer0.parametrizations.W_i.original.mul_(2)
    assert_equal(step, layer, x)
    parametrize.remove_parametrizations(layer.layer0, "W_i")
    assert_equal(step, layer, x)
    prune.l1_unstructured(layer.layer0, "W_i", 0.5)
    assert_equal(step, layer, x)
    prune.remove(layer.layer0, "W_i")
    assert_equal(step, layer, x)
    assert "whole call" not in step.why


def test_weights_made_in_inference_mode_are_read_at_every_step() -> None:
    with torch.inference_mode():
        layer = make()
        step, x = layer.stepper(), data(layer)
        assert_equal(step, layer, x)
        layer.layer0.W_i.mul_(2)
        assert_equal(step, layer, x)
    assert "made in inference mode" in step.why


def test_memory_that_weights_left_is_held_so_that_no_other_comes_to_lie_there() -> None:
    module, memory = nn.Linear(2, 2), np.zeros((2, 2), np.float32)
    module.weight.data = torch.from_numpy(memory)
    watch, still_there = Watch([module]), weakref.ref(memory)
    del memory
    module.weight.data = torch.zeros(2, 2)
    assert watch.has_changed()
    assert still_there() is not None
    watch.note()
    assert not watch.has_changed()
    assert still_there() is None


def test_a_change_of_precision_in_inference_mode() -> None:
    layer = make(backend="reference")
    step = layer.stepper()
    with torch.inference_mode():
        layer.double()
        step(data(layer)[0])
    step.state = step.state
    assert_equal(step, layer, data(layer))


def test_weights_of_different_precisions_are_not_packed() -> None:
    layer = make()
    layer.layer0.W_i.data = layer.layer0.W_i.data.double()
    assert layer.stepper().why.endswith("layer0.W_i differs from other weights in type or device")
