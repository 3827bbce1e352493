"""How the zoo's cells start: gates that remember, and what a paper says."""

from __future__ import annotations

import pytest
import torch

from cellwise import cells
from cellwise.layers import Recurrent

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
}


def started(name: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {k.removeprefix("layer0."): v for k, v in Recurrent(name, 3, 8).state_dict().items()}


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
