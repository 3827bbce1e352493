"""Calls that few make: batches without steps, traces of jit, sequences packed by hand."""

from __future__ import annotations

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

import cellwise as cw
from cellwise.errors import BackendError, ConfigError, StructureError
from tests.laws.bits import threads


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_a_batch_without_steps_goes_through_large_layers(n_threads: int) -> None:
    """Whose threads would share their rows, if there were any."""
    layer = cw.Recurrent("lstm", 8, 256)
    with threads(n_threads):
        for x, lengths in (
            (torch.randn(5, 2, 8), torch.tensor([0, 0])),
            (torch.zeros(0, 2, 8), None),
        ):
            x.requires_grad_()
            y, state = layer(x, lengths=lengths)
            assert y.shape == (len(x), 2, 256)
            assert not y.any() and not state.c.any()
            y.sum().backward()
            assert x.grad is not None and not x.grad.any()


@pytest.mark.filterwarnings("ignore")
def test_a_trace_of_jit_computes_what_the_layer_does() -> None:
    forest = cw.Forest.from_parents([[-1, 0, 0, 1, 1]])
    tree = cw.Recursive("h[n] = tanh(U @ x[n] + W @ sum(h[k] for k in n))", 3, 4)
    chain, lengths = (
        cw.Recurrent("lstm", 3, 4, num_layers=2, bidirectional=True),
        torch.tensor([5, 2]),
    )
    tree.requires_grad_(requires_grad=False)
    chain.requires_grad_(requires_grad=False)
    calls = (
        (lambda x: tree(x, forest)[0], torch.randn(5, 3)),
        (lambda x: chain(x)[0], torch.randn(5, 2, 3)),
        (lambda x: chain(x, lengths=lengths)[0], torch.randn(5, 2, 3)),
    )
    for call, x in calls:
        with torch.no_grad():
            traced = torch.jit.trace(call, x, check_trace=False)
            torch.testing.assert_close(traced(2 * x), call(2 * x))
    step = cw.Recurrent("lstm", 3, 4).stepper()
    with pytest.raises(BackendError, match="trace the layer"):
        torch.jit.trace(step.__call__, torch.randn(3), check_trace=False)
    assert step(torch.randn(3)).shape == (4,)


def test_a_packed_sequence_that_cannot_be_is_refused() -> None:
    layer = cw.Recurrent("gru", 3, 4)
    for n_rows, sizes, complaint in (
        (3, [1, 2], r"never rise, and are 1 at least, but are \[1, 2\]"),
        (2, [2, 1, -1], r"never rise, and are 1 at least, but are \[2, 1, -1\]"),
        (5, [2, 2], r"has 5 rows, but its batch_sizes \[2, 2\] sum to 4"),
    ):
        with pytest.raises(StructureError, match=complaint):
            layer(PackedSequence(torch.randn(n_rows, 3), torch.tensor(sizes)))


def test_a_report_has_five_calls() -> None:
    with pytest.raises(ConfigError, match=r"no call 'forwrd'. Did you mean 'forward'\?"):
        cw.Recurrent("gru", 3, 4).backend_report()["forwrd"]


@pytest.mark.parametrize("size", [1, 3])
def test_sums_over_bilinear_products_have_kernels(size):
    """Its backward sums such a product; found by random cases (seed 600018)."""
    text = """
        z[t] = bilinear(V, W @ b, broadcast(sum(c)) + sign(x[t]))
        y[t] = U @ z[t]
    """
    found = []
    for backend in ("cpu", "reference"):
        torch.manual_seed(0)
        layer = cw.Recurrent(text, size, size, backend=backend, dtype=torch.float64)
        x = torch.randn(4, 2, size, dtype=torch.float64, requires_grad=True)
        y, _ = layer(x)
        loss = y.square().sum()
        wanted = [x, *layer.parameters()]
        found.append([y, *torch.autograd.grad(loss, wanted, materialize_grads=True)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
