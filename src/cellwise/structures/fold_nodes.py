"""The fold of a cell over a forest, with the derived backward.

As `structures.fold` for sequences: plain tensors go to the programs of a back end; under
`torch.func` transforms, forward-mode derivatives, and for a backward that must itself be
differentiated, the same equations are evaluated op by op.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from cellwise.backends.base import PreparedNodesFold
from cellwise.structures.nodes import Order
from cellwise.structures.nodes_call import NodesCall, nodes_bound_of
from cellwise.structures.plain import exact, is_plain, is_transformed


class _Fold(torch.autograd.Function):
    """The fold of plain tensors."""

    @staticmethod
    def forward(
        ctx: Any, key: str, order: Order, x: Tensor, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        """The output of every node and the states at the ends; all that backward reads is saved."""
        call = NodesCall(nodes_bound_of(key), order, x, weights)
        backend = call.backend_name()
        rows = call.forward(backend)
        ctx.set_materialize_grads(False)
        ctx.key, ctx.order, ctx.backend, ctx.count = key, order, backend, len(weights)
        ctx.save_for_backward(x, *weights, *rows)
        return tuple(call.outputs(rows[: len(call.results)]))

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Any, ...]:
        """The cotangents of all arrays."""
        x, *rest = ctx.saved_tensors
        weights, rows = rest[: ctx.count], rest[ctx.count :]
        call = NodesCall(nodes_bound_of(ctx.key), ctx.order, x, weights)
        with exact(x):
            if torch.is_grad_enabled():
                return None, None, *_differentiable(call, cotangents)
            backend = ctx.backend
            sent = call.sent(cotangents)
            batched = is_transformed(sent)  # many cotangents at once
            if batched and backend != "reference":
                backend, rows = "reference", call.forward("reference")
            return None, None, *call.backward(backend, rows, sent, differentiable=batched)


class _Prepared(torch.autograd.Function):
    """The fold of plain tensors for which the back end has everything ready."""

    @staticmethod
    def forward(
        ctx: Any, made: PreparedNodesFold, key: str, order: Order, x: Tensor, *weights: Tensor
    ) -> tuple[Tensor, ...]:
        """As of `_Fold`; all that backward reads lies in one piece of memory."""
        outputs, memory = made.forward(x, weights, keep=True)
        ctx.set_materialize_grads(False)
        ctx.made, ctx.key, ctx.order = made, key, order
        ctx.save_for_backward(x, *weights, memory)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Any, ...]:
        """The cotangents of all arrays."""
        x, *weights, memory = ctx.saved_tensors
        call = NodesCall(nodes_bound_of(ctx.key), ctx.order, x, weights)
        with exact(x):
            if torch.is_grad_enabled():
                return None, None, None, *_differentiable(call, cotangents)
            if is_transformed([d for d in cotangents if d is not None]):  # many at once
                rows, sent = call.forward("reference"), call.sent(cotangents)
                found = call.backward("reference", rows, sent, differentiable=True)
            else:
                whole = [weight.contiguous() for weight in weights]  # as hooks may not give them
                found = ctx.made.backward(x, whole, memory.contiguous(), cotangents)
        return None, None, None, *found


_apply: Callable[..., tuple[Tensor, ...]] = super(torch.autograd.Function, _Prepared).apply
"""Without what torch does for wrapped tensors first: none comes here."""


def _differentiable(
    call: NodesCall, cotangents: Sequence[Tensor | None]
) -> Sequence[Tensor | None]:
    """The cotangents of all arrays as a graph of torch operations that can be differentiated."""
    arrays = [call.inputs, *call.parameters]
    with torch.enable_grad():
        views = [t.view_as(t) if t.requires_grad else t for t in arrays]
        inner = NodesCall(call.bound, call.order, views[0], views[1:])
        rows = inner.forward("reference", differentiable=True)
        outputs = inner.outputs(rows[: len(inner.results)])
    pairs = zip(outputs, cotangents, strict=True)
    used = [(o, d) for o, d in pairs if d is not None and o.requires_grad]
    wanted = [t for t in views if t.requires_grad]
    found = torch.autograd.grad(
        [o for o, _ in used], wanted, [d for _, d in used], create_graph=True, allow_unused=True
    )
    grads = {
        id(t): torch.zeros_like(t) if g is None else g for t, g in zip(wanted, found, strict=True)
    }
    return [grads[id(t)] if t.requires_grad else None for t in views]


def fold_nodes(
    key: str, order: Order, x: Tensor, weights: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Fold a bound cell over the nodes of a forest.

    Args:
        key: what `bind_nodes` returned.
        order: the forest, in the order of the fold.
        x: [N, I], a row for each node in the forest's order, or [leaves, I].
        weights: the parameters, in the cell's order.

    Returns:
        The output of each node, [N, H], and the states at the ends of the sweep, [R, ·] each.
    """
    tensors = [x, *weights]
    call = NodesCall(nodes_bound_of(key), order, x, weights)
    with exact(x):
        if not is_plain(tensors) or is_transformed(tensors):
            rows = call.forward("reference", differentiable=True, saving=False)
            y, *ends = call.outputs(rows)
            return y, ends
        keep = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
        made = call.prepared()
        if made is not None and made.fits(call.inputs, weights, keep=keep):
            if keep:
                y, *ends = _apply(made, key, order, *tensors)
            else:
                y, *ends = made.forward(x, weights, keep=False)[0]
        elif keep:
            y, *ends = _Fold.apply(key, order, *tensors)  # type: ignore[no-untyped-call]
        else:
            y, *ends = call.outputs(call.forward(call.backend_name(), saving=False))
    return y, ends
