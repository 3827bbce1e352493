"""`Stepper`: equals the layer, follows its weights, keeps to one stream, and what it refuses."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cellwise as cw
from cellwise.backends.cpu.target import VARIABLE, Target, runnable
from tests.layers.steps import assert_equal, data, make, stepped
from tests.tolerances import TOLERANCE

ELMAN = "h[t] = tanh(U @ x[t] + W @ h[t-1] + b)"
LEARNED = f"{ELMAN}\nh[0] = h_0"
SCALAR = "s[t] = 0.5 * s[t-1] + mean(x[t])\nh[t] = tanh(s[t] * (U @ x[t]))"
READOUT = f"{ELMAN}\ny[t] = tanh(V @ h[t])"
STATELESS = "h[t] = tanh(U @ x[t])"
WEIGHTLESS = "h[t] = 0.5 * h[t-1] + x[t]"
CELLS = ["lstm", "gru", "mingru", "lstm_layernorm", ELMAN, LEARNED, SCALAR, READOUT, STATELESS]


def assert_all_equal(layer: cw.Recurrent) -> None:
    for batch_size in (None, 3):
        step = layer.stepper(batch_size)
        assert step.backend == "cpu"
        assert_equal(step, layer, data(layer, batch_size))


@pytest.mark.parametrize("cell", CELLS)
def test_steps_equal_the_layer_bit_for_bit(cell: str) -> None:
    assert_all_equal(make(cell, num_layers=2))


@pytest.mark.parametrize("target", runnable(), ids=lambda target: target.name)
@pytest.mark.parametrize("cell", ["gru", READOUT])
def test_on_every_target(cell: str, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, target.name)
    assert_all_equal(make(cell, dtype=torch.float64))


@pytest.mark.parametrize("size", [1, 17, 32])
@pytest.mark.parametrize("batch_size", [None, 2, 26])
def test_sizes_bit_for_bit(size: int, batch_size: int | None) -> None:
    layer = make("gru", size)
    assert_equal(layer.stepper(batch_size), layer, data(layer, batch_size))


@pytest.mark.parametrize("cell", CELLS)
def test_steps_agree_with_the_reference(cell: str) -> None:
    layer = make(cell, dtype=torch.float64, num_layers=2, backend="reference")
    own = make(cell, dtype=torch.float64, num_layers=2)
    x, exact = data(layer, 3), TOLERANCE[torch.float64]["exact"]
    step, other = layer.stepper(3), own.stepper(3)
    assert (step.backend, other.backend) == ("reference", "cpu")
    with torch.no_grad():
        y, state = layer(x)
    torch.testing.assert_close(stepped(step, x), y, **exact)
    torch.testing.assert_close(stepped(other, x), y, **exact)
    torch.testing.assert_close(tuple(step.state), tuple(state), **exact)
    torch.testing.assert_close(tuple(other.state), tuple(state), **exact)


def test_steps_agree_with_torch() -> None:
    theirs = nn.LSTM(3, 5, num_layers=2)
    step, x = cw.Recurrent.from_torch(theirs).stepper(2), torch.randn(4, 2, 3)
    with torch.no_grad():
        y, (h, c) = theirs(x)
    exact = TOLERANCE[torch.float32]["exact"]
    torch.testing.assert_close(stepped(step, x), y, **exact)
    torch.testing.assert_close(tuple(step.state), (h, c), **exact)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_the_state_after_k_steps_is_that_of_the_layer(batch_size: int | None, backend: str) -> None:
    layer = make(num_layers=2, backend=backend, dtype=torch.float64)
    x, exact = data(layer, batch_size), TOLERANCE[torch.float64]["exact"]
    step = layer.stepper(batch_size)
    for k, x_t in enumerate(x):
        step(x_t)
        with torch.no_grad():
            _, state = layer(x[: k + 1])
        torch.testing.assert_close(tuple(step.state), tuple(state), **exact)
        assert [s.shape for s in step.state] == [s.shape for s in state]


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_stream_goes_on_from_a_state(backend: str) -> None:
    layer = make(num_layers=2, backend=backend)
    x = data(layer, 3)
    _, state = layer(x[:2])
    assert state.h.requires_grad
    step = layer.stepper(3, state)
    first = stepped(step, x[2:])
    torch.testing.assert_close(
        first, layer(x[2:], state)[0].detach(), **TOLERANCE[torch.float32]["exact"]
    )
    step.state = state
    assert torch.equal(stepped(step, x[2:]), first)
    single = make("gru").stepper()
    single.state = torch.ones(1, 5)
    assert torch.equal(single.state.h, torch.ones(1, 5))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_what_is_handed_out_stays(backend: str) -> None:
    layer = make(backend=backend)
    step, x = layer.stepper(), data(layer)
    given = step.state
    step.state = given
    y, state = step(x[0]), step.state
    before = [t.clone() for t in (y, *state, *given)]
    step(x[1])
    assert all(torch.equal(a, b) for a, b in zip((y, *state, *given), before, strict=True))
    state.h.fill_(7)
    assert not (step.state.h == 7).any()


def test_reset_begins_anew_with_what_is_learned() -> None:
    layer = make(LEARNED)
    step, x = layer.stepper(), data(layer)
    with torch.no_grad():
        layer.layer0.h_0.normal_()
    first = step(x[0])  # the learned state has changed since the stepper was made
    with torch.no_grad():
        assert torch.equal(first, layer(x[:1])[0][0])
    step.reset()
    assert torch.equal(step.state.h[0], layer.layer0.h_0)
    assert torch.equal(step(x[0]), first)


def test_memory_does_not_grow() -> None:
    layer = make(num_layers=2)
    step, x = layer.stepper(), data(layer)[0]

    def n_tensors() -> int:
        gc.collect()
        return sum(type(o) is Tensor for o in gc.get_objects())

    step(x)
    before = n_tensors()
    for _ in range(50):
        step(x)
    assert n_tensors() == before


def test_dropout_is_off() -> None:
    layer = make(num_layers=2, dropout=0.5)
    assert layer.training
    step, x = layer.stepper(), data(layer)
    layer.eval()
    assert_equal(step, layer, x)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_inference_mode(backend: str) -> None:
    layer = make(backend=backend)
    x = data(layer)
    expected = stepped(layer.stepper(), x)
    with torch.inference_mode():
        step = layer.stepper()
        assert torch.equal(stepped(step, x), expected)
    step.reset()
    assert torch.equal(stepped(step, x), expected)
    step.state = step.state


def test_other_precisions_go_to_the_reference() -> None:
    layer = make()
    step = layer.stepper()
    assert step.backend == "cpu" and step.why == "auto: compiled kernels serve it (cpu)"
    layer.bfloat16()
    x = data(layer)
    torch.testing.assert_close(step(x[0]), layer(x[:1])[0][0].detach())
    assert step.backend == "reference" and "bfloat16" in step.why
    asked = make(backend="cpu")
    step = asked.stepper()
    asked.bfloat16()
    with pytest.raises(cw.BackendError, match="it computes in float32 and float64"):
        step(x[0])


# What goes in


def test_x_may_lie_in_any_way() -> None:
    layer = make()
    step, x = layer.stepper(2), torch.randn(5, 2, 4)
    y = stepped(step, x.permute(2, 1, 0))
    step.reset()
    assert torch.equal(stepped(step, x.permute(2, 1, 0).contiguous()), y)


def test_a_layer_without_weights_follows_its_input() -> None:
    layer = make(WEIGHTLESS)
    step = layer.stepper()
    for dtype in (torch.float64, torch.float32):
        x = data(layer).to(dtype)
        assert_equal(step, layer, x)
        assert step.state.h.dtype == dtype


def test_autocast_steps_in_the_precision_of_the_weights() -> None:
    layer = make()
    step, x = layer.stepper(), data(layer)
    y = step(x[0].bfloat16().float())
    step.reset()
    with torch.autocast("cpu"):
        assert torch.equal(step(x[0].bfloat16()), y)


def test_no_gradient_flows() -> None:
    step = make().stepper()
    x = torch.zeros(5, requires_grad=True)
    with pytest.raises(cw.BackendError) as error:
        step(x)
    assert str(error.value) == (
        "no gradients flow through a stepper, but x requires one: "
        "step under torch.no_grad(), or with x.detach()"
    )
    assert not step(x.detach()).requires_grad
    with torch.no_grad():
        step(x)


def refusal(kind: type[Exception], call: Callable[[], object]) -> str:
    with pytest.raises(kind) as error:
        call()
    return str(error.value)


def test_refused_inputs() -> None:
    step, batched = make().stepper(), make().stepper(3)
    assert refusal(cw.ShapeError, lambda: step(torch.zeros(4))) == (
        "x must be [I] = [5], but has shape [4]"
    )
    assert refusal(cw.ShapeError, lambda: batched(torch.zeros(5))) == (
        "x must be [B, I] = [3, 5], but has shape [5]"
    )
    assert refusal(cw.ShapeError, lambda: step(torch.zeros(5, dtype=torch.float64))) == (
        "x is torch.float64, but the layer's parameters are torch.float32"
    )
    assert refusal(cw.ShapeError, lambda: step(torch.zeros(5, dtype=torch.int64))) == (
        "x must hold floating-point numbers, but is torch.int64"
    )
    assert refusal(cw.ShapeError, lambda: step(torch.zeros(5, device="meta"))) == (
        "x is on meta, but the layer's parameters are on cpu"
    )
    assert refusal(cw.ShapeError, lambda: step([0.0] * 5)) == (
        "x must be a plain tensor, but is a list"
    )


def test_refused_states() -> None:
    layer = make()
    h = torch.zeros(1, 3, 5)
    assert refusal(cw.ShapeError, lambda: layer.stepper(3, (h,))) == (
        "state must hold 2 tensors (h, c), but holds 1"
    )
    assert refusal(cw.ShapeError, lambda: layer.stepper(3, (h, h[:, :2]))) == (
        "state.c must have shape [1, 3, 5], but has [1, 2, 5]"
    )
    step = layer.stepper(3)
    with pytest.raises(cw.ShapeError):
        step.state = (h + 1, h[:, :2])
    assert not step.state.h.any()


def test_refused_steppers() -> None:
    assert refusal(cw.StructureError, make(bidirectional=True).stepper) == (
        "a bidirectional network has no stepper: its second direction begins at the end of the "
        "sequence, which a stream has not reached"
    )
    for bad in (0, -1, 2.0, True):
        assert refusal(cw.ConfigError, partial(make().stepper, bad)) == (
            f"batch_size must be None or a whole number of at least 1, not {bad!r}"
        )


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_no_copies(copied: Callable[[object], object]) -> None:
    assert refusal(cw.ConfigError, lambda: copied(make().stepper())) == (
        "a stepper cannot be copied or pickled: make another one of its layer, "
        "layer.stepper(batch_size, step.state)"
    )


def test_transforms_are_refused() -> None:
    step = make().stepper()
    with pytest.raises(RuntimeError):
        torch.func.vmap(step)(torch.zeros(3, 5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("noise", ["zoneout", "weight_dropout"])
def test_nothing_disturbs_a_stepper_of_a_layer_that_trains(dtype: torch.dtype, noise: str) -> None:
    options: dict[str, Any] = {noise: 0.5}
    layer = cw.Recurrent("gru", 3, 4, dtype=dtype, **options)
    assert layer.training
    steps = [layer.stepper() for _ in range(2)]
    x = torch.ones(3, dtype=dtype)
    for _ in range(5):
        first, second = (step(x) for step in steps)
        assert torch.equal(first, second)
