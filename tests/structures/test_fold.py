"""The torch operation: its registration, and every way in which it can be differentiated."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import cellwise as cw
from cellwise.structures.batch import ragged_levels
from cellwise.structures.call import Arrays, bound_of
from cellwise.structures.fold import fold
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
GRAD = TOLERANCE[torch.float64]["grad"]
CELLS = {
    "lstm": "lstm",
    "delay": "d[t] = U @ x[t]\nh[t] = tanh(W @ d[t-1] + x[t])",
    "scalar": "s[t] = 0.5 * s[t-1] + sum(x[t])\nh[t] = tanh(s[t] * x[t] + W @ h[t-1])",
    "stateless": "h[t] = tanh(U @ x[t] + b)",
    "no_parameters": "h[t] = 0.5 * h[t-1] + x[t]",
    "output_is_no_state": "c[t] = tanh(W @ c[t-1] + x[t])\nh[t] = softmax(V @ c[t])",
}
SIZE = 3


def arrays_of(name: str) -> tuple[cw.Recurrent, str, list[Tensor], Callable[..., Tensor]]:
    """A layer's key, its arrays over a ragged batch, and the fold as a function of them alone."""
    torch.manual_seed(3)
    layer = cw.Recurrent(CELLS[name], SIZE, SIZE, dtype=torch.float64)
    direction = layer._directions[0]
    levels = ragged_levels(torch.tensor([3, 1, 4, 0]), 16, 4)
    rows = torch.randn(16, SIZE, dtype=torch.float64)
    system = layer.cell.system
    edges = [
        torch.randn(4, *[SIZE] * len(system.shape_of(state)), dtype=torch.float64)
        for state in layer.cell.states
    ]
    weights = [direction.weight(name) for name in direction._used]
    tensors = [t.detach().requires_grad_() for t in (rows, *edges, *weights)]

    def run(*given: Tensor) -> Tensor:
        arrays = Arrays([rows], edges, weights).like(given)
        y, ends = fold(direction._key, arrays, levels.sizes)
        return torch.cat([y.flatten(), *[e.flatten() for e in ends]])

    return layer, direction._key, tensors, run


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("keep", [True, False])
def test_opcheck(name: str, keep: bool) -> None:
    layer, key, tensors, _ = arrays_of(name)
    arrays = Arrays([tensors[0]], tensors[1 : 1 + len(layer.cell.states)], [])
    parameters = tensors[1 + len(layer.cell.states) :]
    sizes = torch.tensor([3, 2, 2, 1])
    arguments = (arrays.inputs, arrays.edges, parameters, sizes, key, keep)
    result = torch.library.opcheck(torch.ops.cellwise.fold.default, arguments)
    assert set(result.values()) == {"SUCCESS"}


@pytest.mark.parametrize("name", CELLS)
def test_derivatives_of_first_and_second_order(name: str) -> None:
    _, _, tensors, run = arrays_of(name)
    assert torch.autograd.gradcheck(run, tensors)
    assert torch.autograd.gradgradcheck(run, tensors, atol=1e-6)


def test_arrays_that_depend_on_each_other_are_not_counted_twice() -> None:
    layer = cw.Recurrent("h[0] = v\nh[t] = tanh(U @ x[t] + W @ h[t-1] + v)", 3, 3).double()
    weights = list(layer.parameters())
    x = layer.get_parameter("layer0.U")[None] * 2.0
    loss = layer(x, lengths=torch.tensor([1, 1, 0]))[0].square().sum()
    wanted = torch.autograd.grad(loss, weights, retain_graph=True)
    found = torch.autograd.grad(loss, weights, create_graph=True)
    torch.testing.assert_close(found, wanted, **GRAD)


@pytest.mark.parametrize("name", CELLS)
def test_functional_transforms_agree_with_autograd(name: str) -> None:
    _, _, tensors, run = arrays_of(name)
    tangents = tuple(torch.randn_like(t) for t in tensors)
    wanted = torch.autograd.functional.jacobian(run, tuple(tensors))
    found = torch.func.jacrev(run, argnums=tuple(range(len(tensors))))(*tensors)
    torch.testing.assert_close(found, wanted, **GRAD)
    pushed = torch.func.jvp(run, tuple(tensors), tangents)[1]
    by_hand = sum(
        (j.flatten(1) @ t.flatten() for j, t in zip(wanted, tangents, strict=True)),
        torch.zeros_like(pushed),
    )
    torch.testing.assert_close(pushed, by_hand, **GRAD)
    batch = torch.stack([tensors[0], 2 * tensors[0]])
    mapped = torch.func.vmap(lambda rows: run(rows, *tensors[1:]))(batch)
    torch.testing.assert_close(mapped[1], run(2 * tensors[0], *tensors[1:]), **EXACT)


def test_forward_mode_of_autograd() -> None:
    _, _, tensors, run = arrays_of("lstm")
    tangent = torch.randn_like(tensors[0])
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(tensors[0], tangent)
        pushed = torch.autograd.forward_ad.unpack_dual(run(dual, *tensors[1:])).tangent
    jacobian = torch.autograd.functional.jacobian(lambda rows: run(rows, *tensors[1:]), tensors[0])
    torch.testing.assert_close(pushed, jacobian.flatten(1) @ tangent.flatten(), **GRAD)


def test_a_forward_without_gradients_keeps_nothing() -> None:
    layer, x = cw.Recurrent("lstm", 3, 4), torch.zeros(2, 1, 3)
    with torch.no_grad():
        assert not layer(x)[0].requires_grad
    assert layer(x)[0].requires_grad


def test_unknown_key() -> None:
    with pytest.raises(cw.BackendError, match="build its layer in this process first"):
        bound_of("nothing")
