"""How the zoo's cells start: gates that remember, and what a paper says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cellwise import cells
from cellwise.cell import Cell
from cellwise.layers import Recurrent, Recursive
from cellwise.layers.initialise import suggested

ONES = {
    "lstm": {"b_f"},
    "lstm_peephole": {"b_f"},
    "lstm_projected": {"b_f"},
    "lstm_layernorm": {"b_f", *(f"{kind}_{gate}" for kind in "sr" for gate in "ifog"), "s_c"},
    "gru": set(),
    "gru_v3": {"b_z"},
    "mgu": set(),
    "ugrnn": {"b_f"},
    "minlstm": {"b_f"},
    "mingru": set(),
    "sru": {"b_f"},
    "cfn": {"b_theta"},
    "fastgrnn": {"b_z", "b_h", "zeta"},
    "recursive": set(),
    "rntn": set(),
    "tree_lstm": {"b_f"},
    "tree_lstm_binary": {"b_f"},
    "tree_gru": set(),
    "dependency": set(),
    "mdlstm": set(),
}


def started(name: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    layer: nn.Module
    if name in cells.names("tree"):
        layer = Recursive(name, 8, 8, n_relations=3)
    else:
        layer = Recurrent(name, 3, 8)
    return {k.removeprefix("layer0."): v for k, v in layer.state_dict().items()}


@pytest.mark.parametrize(("name", "wanted"), ONES.items())
def test_what_starts_at_one(name: str, wanted: set[str]):
    assert {k for k, v in started(name).items() if (v == 1).all()} == wanted


@pytest.mark.parametrize("name", cells.names())
def test_no_matrix_starts_at_zero(name: str):
    values = started(name)
    assert all(v.abs().max() > 0 for v in values.values() if v.dim() > 1)
    assert all(v.isfinite().all() for v in values.values())


def test_square_matrices_of_the_second_highway_layer_are_orthogonal():
    weight = started("rhn")["W_g2"]
    torch.testing.assert_close(weight @ weight.T, torch.eye(8))


def test_independent_weights_are_between_zero_and_one():
    weight = started("indrnn")["w_h"]
    assert 0 <= weight.min() < weight.max() <= 1


def test_sums_of_children_enter_through_orthogonal_matrices():
    values = started("tree_lstm")
    for name in ("W_i", "W_o", "W_u", "W_f"):
        torch.testing.assert_close(values[name] @ values[name].T, torch.eye(8))


def test_every_label_has_an_orthogonal_matrix_of_its_own():
    first, second, third = weights = started("dependency")["W"]
    for weight in weights:
        torch.testing.assert_close(weight @ weight.T, torch.eye(8))
    assert not torch.allclose(first, second)
    assert not torch.allclose(second, third)


def test_the_tensor_of_products_starts_small():
    assert 0 < started("rntn")["V"].abs().max() <= 0.01


def test_forget_gates_of_children_are_found_in_any_text():
    text = """
    f[n,k] = sigmoid(U @ x[n] + W @ h[k] + b_k)
    g[n] = sigmoid(V @ x[n] + b_l)
    h[n] = tanh(A @ x[n]) + sum(f[n,k] * h[k] for k in n) + g[n] * h[left]
    """
    found = suggested(Cell(text).system)
    assert (found["b_k"], found["b_l"], found["A"]) == (1.0, 1.0, "glorot")
