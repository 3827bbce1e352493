"""The usual call, x [T, B, I] and nothing else: the numbers of the call that tells all."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

import cellwise as cw
from cellwise.backends.cpu import Cpu
from cellwise.backends.cpu.prepared import Prepared

T, B, SIZE = 6, 3, 5


@pytest.fixture
def calls(monkeypatch):
    """Whether each prepared forward was of padded rows."""
    found: list[bool] = []
    forward = Prepared.forward

    def watched(self, *arguments, **named):
        found.append(self.padded)
        return forward(self, *arguments, **named)

    monkeypatch.setattr(Prepared, "forward", watched)
    return found


def network(cell: str = "lstm", **options) -> cw.Recurrent:
    return cw.Recurrent(cell, SIZE, SIZE, backend="cpu", dtype=torch.float64, **options)


def inputs() -> Tensor:
    return torch.randn(T, B, SIZE, dtype=torch.float64, requires_grad=True)


def all_of(layer: cw.Recurrent, x: Tensor, lengths: Tensor | None) -> list[Tensor]:
    """Outputs, states, and the gradients of a mixture of both."""
    y, state = layer(x, lengths=lengths)
    loss = y.square().sum() + sum((end.sin().sum() for end in state), torch.zeros(()))
    return [y, *state, *torch.autograd.grad(loss, [x, *layer.parameters()])]


WHOLE = torch.full((B,), T)


@pytest.mark.parametrize("options", [{}, {"num_layers": 3}, {"memory": "lean"}])
@pytest.mark.parametrize("cell", ["lstm", "gru", "elman", "mingru", "lstm_layernorm"])
def test_it_has_the_bits_of_the_call_with_lengths(cell, options, calls):
    layer, x = network(cell, **options), inputs()
    found = all_of(layer, x, None)
    assert all(calls)
    assert len(calls) == layer.num_layers
    calls.clear()
    wanted = all_of(layer, x, WHOLE)
    assert not any(calls)
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other)
    with torch.no_grad():
        y, state = layer(x)
    for one, other in zip([y, *state], wanted, strict=False):
        assert torch.equal(one, other)


OTHERWISE = {
    "learned initial state": network("h[t] = tanh(x[t] + W @ h[t-1])\nh[0] = h_0"),
    "scalar state": network("a[t] = 0.5 * a[t-1] + 1\nh[t] = a[t] * tanh(W @ x[t])"),
    "both ways": network(bidirectional=True),
    "batch first": network(batch_first=True),
    "zoneout": network(zoneout=0.5),
    "dropout": network(num_layers=2, dropout=0.5),
    "the reference": cw.Recurrent("lstm", SIZE, SIZE, backend="reference").double(),
}


@pytest.mark.parametrize("what", OTHERWISE)
def test_what_it_cannot_do_goes_the_long_way(what, calls):
    x = inputs()
    y, _ = OTHERWISE[what](x)
    y.sum().backward()
    assert x.grad is not None
    assert not any(calls)


def test_cotangents_of_outputs_or_of_states_alone(calls):
    layer, x = network(), inputs()
    for lengths in (None, WHOLE):
        y, state = layer(x, lengths=lengths)
        weights = [x, *layer.parameters()]
        of_y = torch.autograd.grad(y.sum(), weights, retain_graph=True)
        of_c = torch.autograd.grad(state.c.sum(), weights, allow_unused=True)
        if lengths is None:
            kept = of_y, of_c
    for one, other in zip((*of_y, *of_c), (*kept[0], *kept[1]), strict=True):
        assert torch.equal(one, other)
    assert calls == [True, False]


def test_derivatives_of_the_second_order():
    layer, x = network("gru"), inputs()
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], [x])
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[1].h, [x])


def test_many_cotangents_at_once(calls):
    layer, x = network("elman"), inputs()
    y, state = layer(x)
    picks = torch.eye(2 * SIZE, dtype=torch.float64).reshape(2 * SIZE, 2, SIZE)
    (batched,) = torch.autograd.grad(y[-1, :2], x, picks, is_grads_batched=True, retain_graph=True)
    one_by_one = [torch.autograd.grad(y[-1, :2], x, p, retain_graph=True)[0] for p in picks]
    torch.testing.assert_close(batched, torch.stack(one_by_one))
    assert state.h.shape == (1, B, SIZE)


def test_states_can_be_cut_off_in_place(calls):
    layer, x = network(), inputs()
    _, state = layer(x)
    for end in state:
        end.detach_()
        assert not end.requires_grad
    y, _ = layer(x, state)
    y.sum().backward()
    assert calls == [True, False]


def test_hooks_of_a_direction_are_called(calls):
    layer, x = network(), inputs()
    seen: list[Tensor] = []
    direction = layer.get_submodule("layer0")
    direction.register_forward_hook(lambda module, args, output: seen.append(output[0]))
    y, _ = layer(x)
    assert len(seen) == 1
    assert torch.equal(seen[0], y.flatten(0, 1))
    assert not any(calls)


def test_hooks_of_all_modules_are_called(calls):
    layer, x = network(), inputs()
    seen: list[str] = []
    hook = torch.nn.modules.module.register_module_forward_hook(
        lambda module, args, output: seen.append(type(module).__name__)
    )
    try:
        layer(x)
    finally:
        hook.remove()
    assert seen == ["Direction", "Recurrent"]
    assert calls == [False]


def test_gradients_are_apart():
    """Those of parameters lie side by side, but no one's is a part of another's."""
    layer, x = network(), inputs()
    names = [name for name, _ in layer.named_parameters()]
    grads = torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters()))
    before = [grad.clone() for grad in grads]
    changed = names.index("layer0.W_f")
    grads[changed].fill_(7)
    for number, (grad, other) in enumerate(zip(grads, before, strict=True)):
        assert grad.is_contiguous()
        assert number == changed or torch.equal(grad, other)


def test_what_was_saved_may_come_back_in_another_form(calls):
    """Hooks of saved tensors give copies that lie otherwise: the same gradient by another way."""
    layer, x = network(), inputs()
    wanted = torch.autograd.grad(layer(x)[0].square().sum(), x)

    def turned(t: Tensor) -> Tensor:
        return t.mT.contiguous().mT if t.dim() > 1 else t

    with torch.autograd.graph.saved_tensors_hooks(turned, lambda t: t):
        y, _ = layer(x)
    found = torch.autograd.grad(y.square().sum(), x)
    torch.testing.assert_close(found, wanted)
    assert all(calls)


def test_transforms_see_torch_operations():
    layer, x = network("elman"), inputs().detach()
    jacobian = torch.func.jacrev(lambda x: layer(x)[0][-1, 0])(x)
    assert jacobian.shape == (SIZE, T, B, SIZE)
    forward = torch.func.jacfwd(lambda x: layer(x)[0][-1, 0])(x)
    torch.testing.assert_close(jacobian, forward)


def test_a_copy_and_another_size_of_batch(calls):
    layer, x = network(), inputs()
    y, _ = copy.deepcopy(layer)(x)
    assert torch.equal(layer(x)[0], y)
    for n_steps, n_sequences in ((1, 1), (2, 7)):
        part = torch.randn(n_steps, n_sequences, SIZE, dtype=torch.float64)
        got, state = layer(part)
        assert (got.shape, state.c.shape) == (part.shape, (1, n_sequences, SIZE))
    assert all(calls)


@pytest.mark.parametrize("shape", [(0, B, SIZE), (T, 0, SIZE)])
def test_empty_batches(shape):
    y, state = network()(torch.randn(shape, dtype=torch.float64))
    assert y.shape == shape
    assert state.h.shape == (1, shape[1], SIZE)
    assert torch.count_nonzero(state.h) == 0


def test_without_anything_ready_the_long_way_serves(monkeypatch):
    layer, x = network(), inputs()
    wanted = all_of(layer, x, None)
    monkeypatch.setattr(Cpu, "prepared", lambda *_, **__: None)
    for one, other in zip(all_of(layer, x, None), wanted, strict=True):
        assert torch.equal(one, other)
