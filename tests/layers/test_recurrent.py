"""`Recurrent`: the forms it takes, states, lengths, names, and what it refuses."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

import cellwise as cw
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
GRAD = TOLERANCE[torch.float64]["grad"]
ELMAN = "h[t] = tanh(U @ x[t] + W @ h[t-1] + b)"
LENGTHS = torch.tensor([3, 6, 0, 2])


def make(cell: str = "lstm", **options: object) -> cw.Recurrent:
    torch.manual_seed(1)
    return cw.Recurrent(cell, 3, 4, dtype=torch.float64, **options)  # type: ignore[arg-type]


def data(n_steps: int = 6, n_sequences: int = 4) -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(n_steps, n_sequences, 3, dtype=torch.float64)


def test_shapes_and_state_names() -> None:
    layer = make(num_layers=2, bidirectional=True)
    y, state = layer(data())
    assert y.shape == (6, 4, 8)
    assert state._fields == ("h", "c")
    assert state.h.shape == state.c.shape == (4, 4, 4)
    h, c = state
    assert h is state.h and c is state.c


def test_batch_first_and_unbatched_agree_with_time_first() -> None:
    layer, x = make(bidirectional=True), data()
    y, state = layer(x)
    layer.batch_first = True
    y_first, state_first = layer(x.transpose(0, 1))
    torch.testing.assert_close(y_first.transpose(0, 1), y)
    torch.testing.assert_close(state_first, state)
    layer.batch_first = False
    one, state_one = layer(x[:, 1])
    torch.testing.assert_close(one, y[:, 1], **EXACT)
    torch.testing.assert_close(state_one.h, state.h[:, 1], **EXACT)


def test_packed_sequence_goes_out_in_kind() -> None:
    layer, x = make(num_layers=2, bidirectional=True), data()
    lengths = torch.tensor([3, 6, 1, 2])
    pieces = [x[:n, b] for b, n in enumerate(lengths.tolist())]
    packed = pack_sequence(pieces, enforce_sorted=False)
    y, state = layer(x, lengths=lengths)
    y_packed, state_packed = layer(packed)
    padded, sizes = pad_packed_sequence(y_packed)
    torch.testing.assert_close(padded, y, **EXACT)
    torch.testing.assert_close(sizes, lengths)
    torch.testing.assert_close(state_packed, state, **EXACT)


def test_jagged_nested_tensor_goes_out_in_kind() -> None:
    layer, x = make(bidirectional=True), data()
    pieces = [x[:n, b] for b, n in enumerate(LENGTHS.tolist())]
    nested = torch.nested.nested_tensor(pieces, layout=torch.jagged)
    y, state = layer(x, lengths=LENGTHS)
    y_nested, state_nested = layer(nested)
    assert y_nested.is_nested and y_nested.layout == torch.jagged
    for b, piece in enumerate(y_nested.unbind()):
        torch.testing.assert_close(piece, y[: LENGTHS[b], b], **EXACT)
    torch.testing.assert_close(state_nested, state, **EXACT)


def test_padding_is_never_read_and_comes_out_as_zeros() -> None:
    layer, x = make(num_layers=2, bidirectional=True), data()
    y, state = layer(x, lengths=LENGTHS)
    dirty = x.clone()
    for b, n in enumerate(LENGTHS.tolist()):
        dirty[n:, b] = float("nan")
        assert (y[n:, b] == 0).all()
    dirty.requires_grad_()
    y_dirty, state_dirty = layer(dirty, lengths=LENGTHS)
    assert torch.equal(y_dirty, y)
    assert all(torch.equal(a, b) for a, b in zip(state_dirty, state, strict=True))
    (y_dirty.sum() + state_dirty.c.sum()).backward()
    assert dirty.grad is not None and dirty.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("cell", ["lstm", "gru", ELMAN])
def test_chunks_with_carried_state_equal_one_run(cell: str) -> None:
    layer, x = make(cell, num_layers=2), data()
    y, state = layer(x)
    first, middle = layer(x[:2])
    second, last = layer(x[2:], middle)
    torch.testing.assert_close(torch.cat([first, second]), y, **EXACT)
    torch.testing.assert_close(last, state, **EXACT)


def test_empty_sequences_keep_their_state() -> None:
    layer, x = make(), data()
    _, before = layer(x)
    _, after = layer(x, before, torch.tensor([0, 1, 0, 0]))
    torch.testing.assert_close(after.c[:, 0], before.c[:, 0])
    assert not torch.equal(after.c[:, 1], before.c[:, 1])
    y, same = layer(x[:0], before)
    assert y.shape == (0, 4, 4)
    torch.testing.assert_close(same, before)


def test_no_sequences_at_all() -> None:
    y, state = make(bidirectional=True)(data()[:, :0], lengths=torch.zeros(0, dtype=torch.int64))
    assert y.shape == (6, 0, 8) and state.h.shape == (2, 0, 4)


def test_learned_initial_state_gets_a_gradient() -> None:
    layer = make("h[0] = h_0\nh[t] = tanh(U @ x[t] + W @ h[t-1])")
    assert "layer0.h_0" in layer.state_dict()
    layer(data(), lengths=LENGTHS)[1].h.sum().backward()
    learned = layer.get_parameter("layer0.h_0")
    assert learned.grad is not None and (learned.grad != 0).all()


def test_state_dict_has_the_names_of_the_equations() -> None:
    layer = make(ELMAN, bidirectional=True)
    names = {f"layer0.{way}{n}" for way in ("", "reverse.") for n in ("U", "W", "b")}
    assert set(layer.state_dict()) == names


def test_copies_and_pickles_compute_the_same() -> None:
    layer, x = make(ELMAN), data()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301 - our own bytes
        assert torch.equal(other(x)[0], layer(x)[0])


def test_sizes_and_constants() -> None:
    text = "a = 0.5\nm[t] = tanh(U @ x[t])\nh[t] = a * h[t-1] + W @ m[t]"
    layer = cw.Recurrent(text, 3, 4, sizes={"m": 7}, constants={"a": 0.25})
    assert layer.get_parameter("layer0.U").shape == (7, 3)
    x = torch.randn(2, 1, 3)
    m = torch.tanh(x @ layer.get_parameter("layer0.U").T) @ layer.get_parameter("layer0.W").T
    torch.testing.assert_close(layer(x)[0][1], 0.25 * m[0] + m[1])


def test_dropout_mask_is_the_same_at_every_step() -> None:
    layer = cw.Recurrent("h[t] = relu(U @ x[t])", 3, 50, num_layers=2, dropout=0.5)
    torch.nn.init.ones_(layer.get_parameter("layer0.U"))
    torch.nn.init.eye_(layer.get_parameter("layer1.U"))
    y, _ = layer(torch.ones(5, 2, 3), lengths=torch.tensor([5, 3]))
    dropped = y[:, 0] == 0
    assert (dropped == dropped[0]).all() and 5 < dropped[0].sum() < 45
    assert not torch.equal(dropped[0], y[0, 1] == 0)
    assert (layer.eval()(torch.ones(5, 2, 3))[0] != 0).all()


def test_initial_values() -> None:
    layer = cw.Recurrent("lstm", 5, 8)
    w = layer.get_parameter("layer0.W_i")
    torch.testing.assert_close(w @ w.T, torch.eye(8), rtol=1e-5, atol=1e-5)
    assert (layer.get_parameter("layer0.b_f") == 1).all()
    assert (layer.get_parameter("layer0.b_i") == 0).all()
    assert layer.get_parameter("layer0.U_i").abs().max() <= (6 / 13) ** 0.5


def test_a_cell_says_its_own_initial_values() -> None:
    cell = cw.Cell(ELMAN, init={"b": 0.5, "W": "zeros", "U": "uniform(1, 2)"})
    layer = cw.Recurrent(cell, 3, 4)
    assert (layer.get_parameter("layer0.b") == 0.5).all()
    assert (layer.get_parameter("layer0.W") == 0).all()
    assert (layer.get_parameter("layer0.U") >= 1).all()


def test_backend_report() -> None:
    report = make().backend_report()
    assert [row.call for row in report] == ["forward", "backward", "double backward", "jvp", "vmap"]
    assert report["vmap"].backend == "reference"
    assert "auto" in report["forward"].why


def test_report_is_what_is_printed() -> None:
    assert str(make().backend_report()).splitlines()[0].split() == ["call", "backend", "why"]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda m: m(data()[..., :2]), cw.ShapeError, "x must be [T, B, I] with I = 3"),
        (
            lambda m: m(data()[0, 0]),
            cw.ShapeError,
            "x must be [T, B, I], or [T, I] without a batch",
        ),
        (lambda m: m(data().float()), cw.ShapeError, "x is torch.float32"),
        (lambda m: m(data(), lengths=torch.tensor([1, 2])), cw.StructureError, "shape [4]"),
        (
            lambda m: m(data(), lengths=torch.tensor([1, 7, 2, 2])),
            cw.StructureError,
            "lengths[1] is 7",
        ),
        (
            lambda m: m(data(), lengths=torch.tensor([1, 2, 2, -1])),
            cw.StructureError,
            "lengths[3] is -1",
        ),
        (lambda m: m(data(), lengths=torch.ones(4)), cw.StructureError, "whole numbers"),
        (lambda m: m(data(), torch.zeros(1, 4, 4)), cw.ShapeError, "must hold 2 tensors (h, c)"),
        (
            lambda m: m(data(), (torch.zeros(1, 4, 4), torch.zeros(1, 3, 4))),
            cw.ShapeError,
            "state.c must have shape [1, 4, 4], but has [1, 3, 4]",
        ),
    ],
)
def test_bad_calls(call: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call(make())  # type: ignore[operator]
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"cell": "lstn"}, cw.ConfigError, "lstm"),
        ({"num_layers": 0}, cw.ConfigError, "num_layers must be a whole number of at least 1"),
        ({"dropout": 1.0}, cw.ConfigError, "dropout must be at least 0 and below 1"),
        ({"backend": "refrence"}, cw.ConfigError, "Did you mean 'reference'?"),
        ({"constants": {"a": 1.0}}, cw.ConfigError, "has no constant 'a'"),
        ({"sizes": {"q": 1}}, cw.ShapeError, "'q', which is no signal"),
        ({"sizes": {"c": 7}}, cw.ShapeError, "sizes={'c': 7}, but the equations make it"),
        ({"cell": "h[t] = tanh(W @ h[t-1])"}, cw.EquationError, "reads no input"),
        ({"cell": "h[t] = x[t] + h[t-1]"}, cw.ShapeError, "but the equations make it"),
        (
            {"cell": "h[t] = tanh(U @ x[t] + W @ hh[t])"},
            cw.EquationError,
            "nobody feeds 'hh'",
        ),
    ],
)
def test_bad_layers(arguments: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        cw.Recurrent(**{"cell": "lstm", "input_size": 3, "hidden_size": 4, **arguments})  # type: ignore[arg-type]
    assert text in str(caught.value)


def test_a_state_as_long_as_the_input_cannot_be_stacked_on_another_size() -> None:
    text = "c[t] = 0.5 * c[t-1] + x[t]\nh[t] = tanh(W @ c[t])"
    assert cw.Recurrent(text, 4, 4, num_layers=2)(torch.zeros(1, 1, 4))[1].c.shape == (2, 1, 4)
    with pytest.raises(cw.ShapeError, match="'c' is as long as the layer's input: 3 in layer 0"):
        cw.Recurrent(text, 3, 4, num_layers=2)


def test_a_scalar_output_has_one_feature() -> None:
    y, _ = cw.Recurrent("h[t] = 0.5 * h[t-1] + sum(x[t])", 3, 1)(torch.ones(2, 4, 3))
    torch.testing.assert_close(y, torch.tensor([3.0, 4.5])[:, None, None].expand(2, 4, 1))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiles_without_a_graph_break(backend: str) -> None:
    layer, x = make(num_layers=2, bidirectional=True), data()
    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    for lengths in (None, LENGTHS):
        y, state = layer(x, lengths=lengths)
        y_compiled, state_compiled = compiled(x, lengths=lengths)
        torch.testing.assert_close(y_compiled, y, **EXACT)
        torch.testing.assert_close(state_compiled.c, state.c, **EXACT)
        wanted = torch.autograd.grad(y.square().sum(), list(layer.parameters()))
        found = torch.autograd.grad(y_compiled.square().sum(), list(layer.parameters()))
        torch.testing.assert_close(found, wanted, **GRAD)


def test_weights_can_be_parametrised_and_pruned() -> None:
    layer = make(ELMAN)
    direction, x = layer._directions[0], data()
    nn.utils.parametrizations.weight_norm(direction, "W")
    nn.utils.parametrize.register_parametrization(direction, "U", nn.Softplus())
    first = layer(x)[0]
    with torch.no_grad():
        direction.get_parameter("parametrizations.W.original0").mul_(2.0)
    assert not torch.equal(layer(x)[0], first)


@pytest.mark.parametrize("name", ["training", "forward", "weight", "cell", "reverse"])
def test_names_that_torch_uses_are_refused(name: str) -> None:
    with pytest.raises(cw.EquationError, match=rf"cannot be called '{name}'.*\n.*Call it {name}_"):
        cw.Recurrent(f"h[t] = tanh({name} @ x[t])", 3, 4)


def test_half_precision_and_autocast() -> None:
    layer = cw.Recurrent("lstm", 3, 4, dtype=torch.bfloat16)
    assert layer(data().bfloat16())[0].dtype == torch.bfloat16
    layer = cw.Recurrent("lstm", 3, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, _ = layer(data().bfloat16())
    torch.testing.assert_close(y, layer(data().bfloat16().float())[0])


def test_whole_numbers_are_refused_and_lists_of_lengths_are_not() -> None:
    layer = cw.Recurrent("a = 0.5\nh[t] = a * h[t-1] + x[t]", 1, 1)
    with pytest.raises(cw.ShapeError, match=r"floating-point numbers, but is torch\.int64"):
        layer(torch.ones(3, 1, 1, dtype=torch.int64))
    assert layer(torch.ones(3, 2, 1), lengths=[3, 1])[1].h.flatten().tolist() == [1.75, 1.0]


def test_nested_tensors_that_are_no_batches_are_refused() -> None:
    nested = torch.nested.nested_tensor([torch.ones(5, 3), torch.ones(4, 3)], layout=torch.jagged)
    holes = torch.nested.narrow(
        torch.ones(2, 5, 3), 1, torch.tensor([1, 0]), torch.tensor([2, 3]), layout=torch.jagged
    )
    layer = cw.Recurrent(ELMAN, 3, 4)
    assert layer(nested)[0].is_nested
    with pytest.raises(cw.StructureError, match="without holes"):
        layer(holes)


def test_a_state_can_be_pickled() -> None:
    _, state = make()(data())
    again = pickle.loads(pickle.dumps(state))  # noqa: S301 - our own bytes
    assert type(again) is type(state) and torch.equal(again.c, state.c)


def test_a_batch_of_cotangents() -> None:
    layer, x = make(ELMAN), data().requires_grad_()
    y, _ = layer(x, lengths=LENGTHS)
    cotangents = torch.randn(3, *y.shape, dtype=y.dtype)
    (found,) = torch.autograd.grad(y, x, cotangents, is_grads_batched=True, retain_graph=True)
    for cotangent, grad in zip(cotangents, found, strict=True):
        torch.testing.assert_close(
            torch.autograd.grad(y, x, cotangent, retain_graph=True)[0], grad, **GRAD
        )


def test_nothing_to_differentiate_gives_zeros() -> None:
    layer, x = make(ELMAN), data().requires_grad_()
    y, _ = layer(x, lengths=torch.zeros(4, dtype=torch.int64))
    (grad,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert not grad.any()


def test_long_sums() -> None:
    terms = " + ".join(["W @ h[t-1]"] * 400)
    layer = cw.Recurrent(f"h[t] = tanh(U @ x[t] + 0.01 * ({terms}))", 3, 4)
    assert layer(torch.ones(2, 1, 3))[0].isfinite().all()


def test_a_call_on_fake_tensors_leaves_nothing_behind():
    layer = cw.Recurrent("elman", 3, 4)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        y, _ = layer(mode.from_tensor(torch.zeros(23, 2, 3)))
    assert y.shape == (23, 2, 4)
    assert type(layer(torch.zeros(23, 2, 3))[0]) is torch.Tensor
