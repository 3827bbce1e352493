"""Who looks on while a layer computes: hooks of saved tensors, casts, modes, transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

import cellwise as cw
from cellwise.errors import BackendError

FOREST = cw.Forest.from_children([[[1, 2], [], [3, 4], [], []], [[]]]).binary()
SEQUENCE = "h[t] = tanh(U @ x[t] + A @ B @ h[t-1])"
TREE = "h[n] = tanh(U @ x[n] + A @ B @ sum(h[k] for k in n))"

Call = Callable[[Tensor], Tensor]


def over_sequences(cell: str = SEQUENCE) -> tuple[nn.Module, Call, Tensor]:
    """A layer, a call of it, and what it takes."""
    layer = cw.Recurrent(cell, 3, 4)
    return layer, lambda x: layer(x)[0], torch.randn(5, 2, 3)


def over_trees(cell: str = TREE) -> tuple[nn.Module, Call, Tensor]:
    """The same of trees."""
    layer = cw.Recursive(cell, 3, 4)
    return layer, lambda x: layer(x, FOREST)[0], torch.randn(FOREST.n_nodes, 3)


EITHER = pytest.mark.parametrize("over", [over_sequences, over_trees])


def gradients(layer: nn.Module, call: Call, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = call(x)
    return [y.detach(), *torch.autograd.grad(y.square().sum(), (x, *layer.parameters()))]


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(map(torch.equal, one, other))


@EITHER
def test_a_cast_around_it_changes_nothing(over: Any) -> None:
    layer, call, x = over()
    wanted = gradients(layer, call, x)
    with torch.autocast("cpu"):
        assert equal(gradients(layer, call, x), wanted)


@EITHER
def test_saved_tensors_may_come_back_in_another_order_of_memory(over: Any) -> None:
    layer, call, x = over()
    wanted = gradients(layer, call, x)

    def turned(t: Tensor) -> Tensor:
        return t.mT.contiguous().mT if t.dim() > 1 else t

    with saved_tensors_hooks(lambda t: t, turned):
        found = gradients(layer, call, x)
    # A @ B is torch's, whose last bit may depend on how A lies.
    torch.testing.assert_close(found, wanted)


@EITHER
def test_saved_tensors_must_come_back_in_their_type(over: Any) -> None:
    layer, call, x = over()
    with (
        saved_tensors_hooks(lambda t: t, lambda t: t.double() if t.is_floating_point() else t),
        pytest.raises(BackendError),
    ):
        gradients(layer, call, x)


@EITHER
def test_a_transform_of_something_else_may_use_it(over: Any) -> None:
    _, call, x = over()
    y = call(x).detach()
    z = torch.randn(())
    found = torch.func.grad(lambda z: (call(x) * z).sum())(z)
    torch.testing.assert_close(found.detach(), y.sum())
    several = torch.func.vmap(lambda z: (call(x) * z).sum())(torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(several.detach(), torch.stack([y.sum(), 2 * y.sum()]))


def test_a_forest_may_be_met_first_where_nothing_is_learnt() -> None:
    layer = cw.Recursive(TREE, 3, 4)
    forest = cw.Forest.from_children([[[1, 2], [], []]])
    x = torch.randn(3, 3, requires_grad=True)
    with torch.inference_mode():
        layer(x, forest)
    (d_x,) = torch.autograd.grad(layer(x, forest)[0].sum(), x, create_graph=True)
    d_x.square().sum().backward()
    assert x.grad is not None


def test_modes_that_watch_operations_see_some() -> None:
    _, call, x = over_trees()
    with FlopCounterMode(display=False) as counter:
        call(x)
    assert counter.get_total_flops() > 0
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        y = call(mode.from_tensor(x))
    assert y.shape == (FOREST.n_nodes, 4)
