"""Everybody computes the same, or the race means nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cellwise import cells
from cellwise.bench.contenders import (
    eager,
    loops_of,
    masked,
    our_lstm,
    our_padded,
    ours,
    torch_module,
)
from cellwise.bench.torch_twin import TWINS, torch_twin
from cellwise.bench.workload import Workload
from cellwise.errors import BackendError
from cellwise.layers import Recurrent
from tests.tolerances import TOLERANCE

SMALL = Workload(
    "lstm", batch_size=3, hidden_size=4, n_steps=7, precision="f64", backend="reference"
)
GRAD = TOLERANCE[torch.float64]["grad"]
SHAPES = [(False, False), (True, False), (False, True), (True, True)]
FEW = ("lstm", "slstm", "antisymmetric", "indrnn")
LEARNED = """
h[t] = tanh(U @ x[t] + s[t-1] * h[t-1] + b)
s[t] = 0.5 * s[t-1] + mean(softmax([x[t], h[t]]) ** 2) + dot(h[t], max(h[t], 0.1))
s[0] = s_0
y[t] = norm(h[t]) * min(relu(h[t]), 1) + bilinear(V, x[t], h[t])
"""


def close(found: list[Tensor], wanted: list[Tensor]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, **GRAD)


@pytest.mark.parametrize("name", cells.names("chain"))
def test_the_loop_computes_every_cell(name):
    workload = replace(SMALL, cell=name)
    close(eager(workload).outputs(), ours(workload).outputs())


@pytest.mark.parametrize(("ragged", "both_ways"), SHAPES)
@pytest.mark.parametrize("name", FEW)
def test_the_loop_computes_every_shape_of_batch(name, ragged, both_ways):
    workload = replace(SMALL, cell=name, ragged=ragged, bidirectional=both_ways)
    close(eager(workload).outputs(), ours(workload).outputs())


@pytest.mark.parametrize(("ragged", "both_ways"), SHAPES)
@pytest.mark.parametrize("name", [name for name, twin in TWINS.items() if twin.same])
def test_torch_computes_what_we_do(name, ragged, both_ways):
    workload = replace(SMALL, cell=name, ragged=ragged, bidirectional=both_ways)
    close(torch_module(workload).outputs(), ours(workload).outputs())


@pytest.mark.parametrize("both_ways", [False, True])
def test_a_masked_batch_gives_what_a_packed_one_does(both_ways):
    workload = replace(SMALL, ragged=True, bidirectional=both_ways, mode="forward")
    y = masked(workload, loops_of(workload))(workload.padded())
    live = workload.mask().expand(-1, -1, y.shape[-1])
    rows = ours(workload).outputs()[0]
    padded = torch.zeros_like(y)
    padded[live] = rows.flatten()
    close([torch.where(live, y, 0.0)], [padded])


def test_learned_starts_scalars_and_reductions():
    workload = replace(SMALL, cell="mine", equations=LEARNED)
    close(eager(workload).outputs(), ours(workload).outputs())


def test_the_forward_alone_asks_for_no_gradient():
    call = ours(replace(SMALL, mode="forward"))
    assert len(call.outputs()) == 1
    assert not call().requires_grad


def test_the_padded_batch_has_all_steps():
    workload = replace(SMALL, ragged=True)
    assert our_padded(workload)().shape == (7, 3, 4)
    assert ours(workload)().shape == (workload.n_rows, 4)


def test_our_lstm_is_of_the_same_size():
    assert our_lstm(replace(SMALL, cell="gru")).title == "cellwise lstm"


def test_the_table_says_who_serves():
    assert ours(SMALL).note == "backend reference"


def test_torch_has_not_every_cell():
    with pytest.raises(BackendError, match=r"^torch\.nn has no such cell$"):
        torch_module(replace(SMALL, cell="lem"))


def test_twins_of_stacks_take_all_weights_over():
    layer = Recurrent("lstm", 3, 4, num_layers=2, bidirectional=True, dtype=torch.float64)
    twin = torch_twin(layer)
    assert isinstance(twin, nn.LSTM)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    close([twin(x)[0]], [layer(x)[0]])


ODD = {
    "a fixed piece": "h[t] = tanh(W @ [x[t], h[t-1], b])",
    "fixed numbers": "a = 0.5\nb = 0.25\nh[t] = tanh(U @ x[t] + W @ h[t-1]) * max(a, b)",
    "a fixed state": "h[t] = b\ny[t] = tanh(U @ x[t] + h[t])",
    "a fixed number as state": "s[t] = 0.5\ny[t] = tanh(U @ x[t] + s[t-1] + s[t])",
    "computed numbers": "a = 0.5\nb = 0.25\nh[t] = max(U @ x[t] + W @ h[t-1], max(a, b))",
    "a quotient": "a = 0.5\nh[t] = min(U @ x[t] + W @ h[t-1], 1 / 3) * a",
    "a computed state": "a = 0.5\nb = 0.25\ns[t] = a + b\ny[t] = tanh(U @ x[t] + s[t-1] + s[t])",
    "a negative state": "a = 0.5\ns[t] = -a\ny[t] = tanh(U @ x[t] + s[t-1] * s[t])",
    "a fixed vector twice": "h[t] = W @ b\ny[t] = tanh(V @ [x[t], h[t-1], h[t]]) * 2",
}


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_the_loop_computes_what_does_not_vary(text, ragged):
    workload = replace(SMALL, cell="mine", equations=text, ragged=ragged)
    close(eager(workload).outputs(), ours(workload).outputs())


def test_numbers_divide_as_arrays_do():
    text = "a = 0.0\nh[t] = tanh(U @ x[t] + W @ h[t-1]) + min(1 / a, 2) + 0 * (-1) ** 2"
    workload = replace(SMALL, cell="mine", equations=text)
    close(eager(workload).outputs(), ours(workload).outputs())
