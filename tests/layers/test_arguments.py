"""What a layer is given and cannot take has one clear answer, of Cellwise's own errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import cellwise as cw

NUMBERS = "dtype must be a type of floating-point numbers, as torch.float32"
OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"sizes": {"h": "4"}}, "sizes={'h': '4'}: a size must be a whole number of at least 1"),
    ({"sizes": [4]}, "sizes must be a dictionary, not [4]"),
    ({"constants": 3}, "constants must be a dictionary, not 3"),
    ({"dropout": "a"}, "dropout must be at least 0 and below 1, not 'a'"),
    ({"dropout": True}, "dropout must be at least 0 and below 1, not True"),
    *(
        (
            {"dtype": dtype},
            f"dtype must be a type of floating-point numbers, as torch.float32, not {dtype!r}",
        )
        for dtype in ("float32", torch.int64, torch.complex64)
    ),
]
FLAGS: list[tuple[dict[str, Any], str]] = [
    ({"bidirectional": "no"}, "bidirectional must be True or False, not 'no'"),
    ({"batch_first": None}, "batch_first must be True or False, not None"),
]
X = torch.zeros(5, 2, 3)
CALLS: list[tuple[tuple[Any, ...], str]] = [
    ((X, 5), "state must be a tensor or several, but is a int"),
    ((X, [None]), "state.h must be a tensor, but is a NoneType"),
    ((X, [np.zeros((1, 2, 4))]), "state.h must be a tensor, but is a ndarray"),
    (
        (X, torch.zeros(1, 2, 4, dtype=torch.int64)),
        "state.h must hold floating-point numbers, but is torch.int64",
    ),
    (
        (X, torch.zeros(1, 2, 4, dtype=torch.complex64)),
        "state.h must hold floating-point numbers, but is torch.complex64",
    ),
    ((X, None, "a"), "lengths must be whole numbers, but are 'a'"),
    ((X, None, [None, 1]), "lengths must be whole numbers, but are [None, 1]"),
    ((X.to_sparse(),), "x must be dense, but its layout is torch.sparse_coo"),
]


@pytest.mark.parametrize(("options", "message"), [*OPTIONS, *FLAGS])
def test_an_option_of_another_kind_is_refused(options, message):
    with pytest.raises(cw.CellwiseError) as caught:
        cw.Recurrent("elman", 3, 4, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_layers_over_trees_refuse_the_same(options, message):
    with pytest.raises(cw.CellwiseError) as caught:
        cw.Recursive("recursive", 3, 4, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(("given", "message"), CALLS)
def test_what_a_call_cannot_take_is_refused(given, message):
    with pytest.raises(cw.CellwiseError) as caught:
        cw.Recurrent("elman", 3, 4)(*given)
    assert str(caught.value) == message


def test_a_stepper_takes_states_of_the_same_kind():
    step: Any = cw.Recurrent("elman", 3, 4).stepper()
    for state, message in [
        (5, "state must be a tensor or several, but is a int"),
        ([None], "state.h must be a tensor, but is a NoneType"),
    ]:
        with pytest.raises(cw.CellwiseError) as caught:
            step.state = state
        assert str(caught.value) == message


def test_a_stepper_without_weights_keeps_the_precision_of_a_state():
    layer = cw.Recurrent("h[t] = 0.5 * h[t-1] + x[t]", 4, 4)
    state = torch.rand(1, 4, dtype=torch.float64)
    step = layer.stepper(state=state)
    assert step.state.h.dtype == torch.float64
    assert torch.equal(step(torch.zeros(4, dtype=torch.float64)), 0.5 * state[0])


def test_a_layer_shows_all_that_is_not_usual():
    layer = cw.Recurrent("lstm", 3, 4, zoneout=0.1, memory="lean", backend="reference")
    assert repr(layer).splitlines()[1] == (
        "  'lstm', 3, 4, zoneout=0.1, backend='reference', memory='lean'"
    )


def test_numbers_of_numpy_are_numbers():
    layer = cw.Recurrent(
        "elman",
        3,
        4,
        dropout=np.float32(0.25),  # type: ignore[arg-type]
        sizes={"h": np.int64(4)},  # type: ignore[dict-item]
        bidirectional=np.True_,  # type: ignore[arg-type]
    )
    assert layer.dropout == 0.25
    assert layer(X)[0].shape == (5, 2, 8)


def test_states_may_come_in_anything_that_holds_them():
    layer = cw.Recurrent("lstm", 3, 4)
    _, last = layer(X)
    whole = layer(X, last)[0]
    forms: tuple[Any, ...] = (iter(last), {"h": last.h, "c": last.c}.values())
    for form in forms:
        assert torch.equal(layer(X, form)[0], whole)


def test_a_state_that_is_refused_changes_nothing():
    step = cw.Recurrent("h[t] = 0.5 * h[t-1] + x[t]", 4, 4).stepper()
    with pytest.raises(cw.ShapeError):
        step.state = torch.ones(1, 7, dtype=torch.float64)
    assert step.state.h.dtype == torch.float32


def test_numbers_that_no_float_holds_are_refused():
    with pytest.raises(cw.ConfigError, match="the constant 'a' must be a number, not 1000"):
        cw.Recurrent("a = 1\nh[t] = a * h[t-1] + x[t]", 3, 3, constants={"a": 10**400})


def test_a_parameter_that_is_gone_is_told():
    layer = cw.Recurrent("h[t] = tanh(U @ x[t] + W @ h[t-1] + b)", 3, 4)
    layer.get_submodule("layer0").b = None  # type: ignore[assignment]
    with pytest.raises(cw.ConfigError) as caught:
        layer(X)
    assert str(caught.value) == "the parameter 'b' is no tensor any more, but None"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("h[t] = sum(x[t]) + 0 * h[t-1]", "hidden_size=6, but the equations make it 1"),
        ("h[t] = x[t] + 0.5 * h[t-1]", "but the equations make it "),
    ],
)
def test_sizes_that_do_not_fit_are_told_in_short(text, said):
    with pytest.raises(cw.ShapeError) as caught:
        cw.Recurrent(text, 4, 6)
    first = str(caught.value).splitlines()[0]
    assert said in first
    assert " = " not in first.partition("make it ")[2]


@pytest.mark.parametrize("layers", [1, 2])
def test_states_can_be_detached_in_place(layers):
    _, (h, c) = cw.Recurrent("lstm", 3, 4, num_layers=layers)(X)
    assert not h.detach_().requires_grad
    assert not c.detach_().requires_grad
