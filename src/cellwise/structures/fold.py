"""The fold of a cell over a structure, as one torch operation with the derived backward.

`cellwise::fold` is opaque to torch: `torch.compile` sees one operation, and its gradient is the
cell's own backward program, `cellwise::fold_backward`. Under `torch.func` transforms and
forward-mode derivatives the same program is evaluated op by op instead, and so is a backward that
must itself be differentiated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from cellwise.structures.call import Arrays, Call


def _apart(outputs: Sequence[Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs with a copy wherever one shares memory with an input or an earlier output."""
    seen = {t.untyped_storage().data_ptr() for t in inputs}
    fresh = []
    for tensor in outputs:
        place = tensor.untyped_storage().data_ptr()
        own = place not in seen and tensor.is_contiguous()
        fresh.append(tensor if own else tensor.clone(memory_format=torch.contiguous_format))
        seen.add(place)
    return fresh


@torch.library.custom_op("cellwise::fold", mutates_args=())
def _fold(
    inputs: Sequence[Tensor],
    edges: Sequence[Tensor],
    parameters: Sequence[Tensor],
    level_sizes: Tensor,
    key: str,
    keep: bool,
) -> list[Tensor]:
    call = Call(key, Arrays(list(inputs), list(edges), list(parameters)), level_sizes)
    with _exact(call):
        outputs = call.forward(call.kept if keep else call.kept[:1])
    return _apart(outputs, call.arrays.all)


@_fold.register_fake
def _(
    inputs: Sequence[Tensor],
    edges: Sequence[Tensor],
    parameters: Sequence[Tensor],
    level_sizes: Tensor,
    key: str,
    keep: bool,
) -> list[Tensor]:
    call = Call(key, Arrays(list(inputs), list(edges), list(parameters)), level_sizes)
    like = inputs[0]
    names = call.kept if keep else call.kept[:1]
    rows = [like.new_empty(like.shape[0], *call.shape(name)) for name in names]
    return rows + [torch.empty_like(edge, memory_format=torch.contiguous_format) for edge in edges]


@torch.library.custom_op("cellwise::fold_backward", mutates_args=())
def _fold_backward(  # noqa: PLR0913, PLR0917 - the schema of a torch operation
    cotangents: Sequence[Tensor],
    inputs: Sequence[Tensor],
    edges: Sequence[Tensor],
    parameters: Sequence[Tensor],
    kept: Sequence[Tensor],
    level_sizes: Tensor,
    key: str,
) -> list[Tensor]:
    call = Call(key, Arrays(list(inputs), list(edges), list(parameters)), level_sizes)
    with _exact(call):
        result = call.backward(kept, cotangents[0], cotangents[1:])
    return _apart(result, [*call.arrays.all, *cotangents, *kept])


@_fold_backward.register_fake
def _(  # noqa: PLR0913, PLR0917
    cotangents: Sequence[Tensor],
    inputs: Sequence[Tensor],
    edges: Sequence[Tensor],
    parameters: Sequence[Tensor],
    kept: Sequence[Tensor],
    level_sizes: Tensor,
    key: str,
) -> list[Tensor]:
    tensors = (*inputs, *edges, *parameters)
    return [torch.empty_like(t, memory_format=torch.contiguous_format) for t in tensors]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    rows, edges, parameters, level_sizes, key, keep = inputs
    ctx.counts = (len(rows), len(edges), len(parameters))
    ctx.fixed = (key, keep)
    kept = output[: len(output) - len(edges)]
    ctx.save_for_backward(level_sizes, *rows, *edges, *parameters, *kept)


def _backward(ctx: Any, cotangents: list[Tensor | None]) -> tuple[Any, ...]:
    key, keep = ctx.fixed
    level_sizes, *tensors = ctx.saved_tensors
    n_inputs, n_edges, n_parameters = ctx.counts
    first, second = n_inputs + n_edges, n_inputs + n_edges + n_parameters
    arrays = Arrays(tensors[:n_inputs], tensors[n_inputs:first], tensors[first:second])
    call = Call(key, arrays, level_sizes)
    kept = tensors[second:]
    grads: Sequence[Tensor | None]
    if torch.is_grad_enabled():
        grads = _differentiable(call, cotangents, len(kept))
    else:
        ends = cotangents[len(kept) :]
        if not keep:
            kept = _fold(*_lists(arrays), level_sizes, key, True)[: len(call.kept)]
        sent = _whole_cotangents(call, cotangents[0], ends)
        if _is_transformed(sent):  # a batch of cotangents at once
            grads = call.backward(kept, sent[0], sent[1:])
        else:
            grads = _fold_backward(sent, *_lists(arrays), kept, level_sizes, key)
    return grads[:n_inputs], grads[n_inputs:first], grads[first:], None, None, None


def _whole_cotangents(
    call: Call, rows: Tensor | None, ends: Sequence[Tensor | None]
) -> list[Tensor]:
    """The cotangents of the output's rows and of the last states, zeros where torch has none."""
    like = call.arrays.inputs[0]
    if rows is None:
        rows = like.new_zeros(like.shape[0], *call.shape(call.system.output))
    pairs = zip(ends, call.arrays.edges, strict=True)
    return [rows, *[torch.zeros_like(edge) if end is None else end for end, edge in pairs]]


def _differentiable(
    call: Call, cotangents: Sequence[Tensor | None], n_kept: int
) -> list[Tensor | None]:
    """The cotangents of all arrays as a graph of torch operations that can be differentiated.

    The arrays may be computed from one another (an initial state from a weight, say). Views of
    them stand in, so that each cotangent holds what reaches its array directly and no more.
    """
    with torch.enable_grad(), _exact(call):
        views = [t.view_as(t) if t.requires_grad else t for t in call.arrays.all]
        outputs = call.of(views).forward(call.kept[:n_kept], backend="reference")
    pairs = zip(outputs, cotangents, strict=True)
    used = [(o, d) for o, d in pairs if d is not None and o.requires_grad]
    wanted = [t for t in views if t.requires_grad]
    found = torch.autograd.grad(
        [o for o, _ in used], wanted, [d for _, d in used], create_graph=True, allow_unused=True
    )
    grads = dict(zip(map(id, wanted), found, strict=True))
    return [_or_zeros(grads[id(t)], t) if t.requires_grad else None for t in views]


def _or_zeros(grad: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if grad is None else grad


def _exact(call: Call) -> torch.autocast:
    """A fold computes in its parameters' precision, whatever torch casts around it."""
    return torch.autocast(call.arrays.inputs[0].device.type, enabled=False)


def _lists(arrays: Arrays) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    return arrays.inputs, arrays.edges, arrays.parameters


_fold.register_autograd(_backward, setup_context=_setup)


def _is_transformed(tensors: Sequence[Tensor]) -> bool:
    """Whether a `torch.func` transform or a forward-mode derivative is at work on a tensor."""
    if torch.compiler.is_compiling():
        return False
    functorch = torch._C._functorch
    wrapped = (functorch.is_functorch_wrapped_tensor, functorch.is_legacy_batchedtensor)
    if any(check(t) for t in tensors for check in wrapped):
        return True
    if forward_ad._current_level < 0:
        return False
    return any(forward_ad.unpack_dual(t).tangent is not None for t in tensors)


def fold(key: str, arrays: Arrays, level_sizes: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Fold a bound cell over the rows of a batch.

    Args:
        key: what `bind` returned.
        arrays: the inputs' rows [R, ·], the initial states [B, ·] and the parameters.
        level_sizes: int64 [T]: how many sequences have a step t; never rising.

    Returns:
        The output's rows [R, ·], zeros beyond the live ones, and the last states [B, ·].
    """
    if _is_transformed(arrays.all):
        call = Call(key, arrays, level_sizes)
        with _exact(call):
            outputs = call.forward(call.kept[:1], backend="reference")
        return outputs[0], outputs[1:]
    keep = torch.is_grad_enabled() and any(t.requires_grad for t in arrays.all)
    outputs = _fold(*_lists(arrays), level_sizes, key, keep)
    n_edges = len(arrays.edges)
    return outputs[0], outputs[len(outputs) - n_edges :]
