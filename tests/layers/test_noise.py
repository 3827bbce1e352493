"""Zoneout and weight dropout of `Recurrent`: against loops in torch with the same masks."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

import cellwise as cw
from cellwise import cells
from cellwise.errors import ConfigError
from cellwise.layers.noise import recurrent_weights
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
GRAD = TOLERANCE[torch.float64]["grad"]
STATEFUL = [name for name in cells.names("chain") if cells.get(name).states]
RATES = {"h": 0.3, "c": 0.6}


def make(cell: str = "lstm", **options: object) -> cw.Recurrent:
    torch.manual_seed(1)
    return cw.Recurrent(cell, 3, 4, dtype=torch.float64, **options)  # type: ignore[arg-type]


def data() -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(6, 5, 3, dtype=torch.float64)


def masks_of(layer: cw.Recurrent) -> list[str]:
    noise = layer._directions[0].noise
    assert noise is not None
    return list(noise.masks)


def lstm_by_hand(layer: cw.Recurrent, x: torch.Tensor, stay: dict[str, torch.Tensor]):
    """Krueger et al. 2017, equations 6 and 7, with masks [T, B, H] or rates."""
    w = {name.removeprefix("layer0."): p for name, p in layer.named_parameters()}
    h = c = torch.zeros(x.shape[1], 4, dtype=x.dtype)
    outputs = []
    for t, x_t in enumerate(x):

        def gate(name, x_t=x_t, h=h):
            return x_t @ w[f"U_{name}"].T + h @ w[f"W_{name}"].T + w[f"b_{name}"]

        new_c = gate("f").sigmoid() * c + gate("i").sigmoid() * gate("g").tanh()
        new_h = gate("o").sigmoid() * new_c.tanh()
        keep = {name: mask if mask.ndim == 0 else mask[t] for name, mask in stay.items()}
        c = keep["c"] * c + (1 - keep["c"]) * new_c
        h = keep["h"] * h + (1 - keep["h"]) * new_h
        outputs.append(h)
    return torch.stack(outputs)


def test_outside_training_states_stay_on_average():
    layer = make(zoneout=RATES).eval()
    rates = {name: torch.tensor(rate, dtype=torch.float64) for name, rate in RATES.items()}
    x = data()
    torch.testing.assert_close(layer(x)[0], lstm_by_hand(layer, x, rates), **EXACT)


def test_training_draws_a_mask_for_every_unit_and_step():
    layer, x = make(zoneout=RATES), data()
    torch.manual_seed(3)
    y, _ = layer(x)
    torch.manual_seed(3)
    masks = {}
    for name in masks_of(layer):
        masks[name] = torch.empty(30, 4, dtype=x.dtype).bernoulli_(RATES[name]).view(6, 5, 4)
    torch.testing.assert_close(y, lstm_by_hand(layer, x, masks), **EXACT)
    assert 0 < sum(float(mask.detach().sum()) for mask in masks.values()) < 240


def test_gradients_of_training_are_those_of_the_loop():
    layer, x = make(zoneout=RATES), data()
    torch.manual_seed(3)
    layer(x)[0].square().sum().backward()
    found = {name: p.grad for name, p in layer.named_parameters()}
    layer.zero_grad(set_to_none=True)
    torch.manual_seed(3)
    masks = {
        name: torch.empty(30, 4, dtype=x.dtype).bernoulli_(RATES[name]).view(6, 5, 4)
        for name in masks_of(layer)
    }
    lstm_by_hand(layer, x, masks).square().sum().backward()
    for name, parameter in layer.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, **GRAD)


@pytest.mark.parametrize("name", STATEFUL)
def test_every_cell_zones_out_with_its_own_weights(name):
    plain = make(name, bidirectional=True, backend="reference")
    zoned = make(name, bidirectional=True, backend="reference", zoneout=0.25)
    zoned.load_state_dict(plain.state_dict())
    assert list(zoned.state_dict()) == list(plain.state_dict())
    x, lengths = data(), torch.tensor([6, 0, 3, 1, 5])
    noisy, _ = zoned(x, lengths=lengths)
    noisy.sum().backward()
    y, _ = zoned.eval()(x, lengths=lengths)
    assert not torch.equal(y, noisy)
    assert not torch.equal(y, plain(x, lengths=lengths)[0])
    assert all(p.grad is not None and p.grad.isfinite().all() for p in zoned.parameters())


def test_initial_weights_are_those_of_the_cell_without_zoneout():
    for name in STATEFUL:
        plain, zoned = make(name).state_dict(), make(name, zoneout=0.25).state_dict()
        assert all(torch.equal(plain[key], zoned[key]) for key in plain)


def test_a_state_that_always_moves_is_as_without_zoneout():
    x = data()
    assert torch.equal(make(zoneout=0.0)(x)[0], make()(x)[0])
    only = make(zoneout={"c": 0.5, "h": 0.0})
    assert str(only.cell).count("# zoneout") == 1


def test_a_rate_is_a_constant_that_the_layer_can_override():
    layer = make(zoneout={"h": 0.3}, constants={"zoneout_h": 0.0}).eval()
    plain = make().eval()
    torch.testing.assert_close(layer(data())[0], plain(data())[0], **EXACT)


def test_the_stepper_computes_the_average():
    layer, x = make(zoneout=RATES).eval(), data()
    step = layer.stepper(5)
    y, _ = layer(x)
    torch.testing.assert_close(torch.stack([step(x_t) for x_t in x]), y.detach(), **EXACT)


def test_a_layer_with_noise_is_copied_and_pickled():
    layer, x = make(zoneout=RATES, weight_dropout=0.5), data()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301
        torch.manual_seed(3)
        y = layer(x)[0]
        torch.manual_seed(3)
        assert torch.equal(other(x)[0], y)


def test_dropped_weights_are_the_same_at_all_steps():
    layer, x = make(weight_dropout=0.5), data()
    torch.manual_seed(3)
    y, _ = layer(x)
    torch.manual_seed(3)
    other = make().requires_grad_(requires_grad=False)
    torch.manual_seed(3)
    direction = other._directions[0]
    for name in direction._used:
        if name in recurrent_weights(layer.cell.system):
            weight = direction.weight(name)
            weight.copy_(nn.functional.dropout(weight, 0.5))
    torch.testing.assert_close(y, other(x)[0], **EXACT)
    assert torch.equal(layer.eval()(x)[0], make()(x)[0])


def test_recurrent_weights_multiply_the_step_before():
    assert recurrent_weights(cells.get("gru").system) == ("W_z", "W_r", "W_h")
    assert recurrent_weights(cells.get("sru").system) == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("k[t] = x[t] * h[t-1]\nh[t] = tanh(U @ x[t] + W @ k[t])", ("W",)),
        ("h[t] = tanh(U @ x[t] + W @ (x[t] * h[t-1]))", ("W",)),
        ("h[t] = tanh(U @ x[t] + W.T @ h[t-1])", ("W",)),
        ("h[t] = tanh(U @ x[t] + (W - W.T) @ h[t-1])", ("W",)),
        ("h[t] = tanh(W @ h[t-1] + bilinear(T, x[t], h[t-1]))", ("W", "T")),
        ("k[t] = B @ h[t-1]\nh[t] = tanh(U @ x[t] + A @ k[t])", ("B",)),
        ("h[t] = tanh(U @ x[t] + A @ (B @ h[t-1]))", ("B",)),
        ("h[t] = 0.5 * h[t-1] + U @ x[t]\ny[t] = V @ h[t] + W @ h[t-1]\noutput y", ("W",)),
    ],
)
def test_recurrent_weights_do_not_depend_on_how_lines_are_broken(text, wanted):
    assert set(recurrent_weights(cw.Cell(text).system)) == set(wanted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zoneout": 1.0}, "zoneout must be at least 0 and below 1, not 1.0"),
        ({"zoneout": {"h": -0.1}}, "zoneout of 'h' must be at least 0 and below 1, not -0.1"),
        ({"zoneout": {"k": 0.1}}, "the cell 'lstm' has no state 'k'. Its states: h, c."),
        ({"weight_dropout": 1}, "weight_dropout must be at least 0 and below 1, not 1"),
    ],
)
def test_what_is_no_share_or_no_state_is_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        make(**options)
    assert str(caught.value) == message


def test_weights_that_no_state_meets_cannot_be_dropped():
    with pytest.raises(ConfigError, match="'sru' has no matrix that multiplies a state"):
        make("sru", weight_dropout=0.5)
