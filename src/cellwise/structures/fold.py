"""The fold of a cell over a structure, as one torch operation with the derived backward.

`cellwise::fold` is opaque to torch: `torch.compile` sees one operation, and its gradient is the
cell's own backward program, `cellwise::fold_backward`. An eager call on plain tensors takes a
shorter way to the same programs, `_Eager`, since the dispatcher takes longer than a small fold.
Under `torch.func` transforms and forward-mode derivatives the same program is evaluated op by op
instead, and so is a backward that must itself be differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from cellwise.backends.base import PreparedFold
from cellwise.structures.batch import even_levels
from cellwise.structures.call import Arrays, Call, prepared, prepared_padded
from cellwise.structures.plain import exact, is_plain, is_transformed


def _apart(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], *, among: bool = True
) -> list[Tensor]:
    """The outputs with a copy wherever one shares memory with an input or, `among`, an output."""
    seen, fresh = set(_memories(inputs)), []
    for tensor, place in zip(outputs, _memories(outputs), strict=True):
        own = place not in seen and tensor.is_contiguous()
        fresh.append(tensor if own else tensor.clone(memory_format=torch.contiguous_format))
        if among:
            seen.add(place)
    return fresh


_address, _offset, _item_bytes = Tensor.data_ptr, Tensor.storage_offset, attrgetter("itemsize")


def _memories(tensors: Sequence[Tensor]) -> list[int]:
    """Where the memory begins that each tensor is in; quicker than by way of their storages."""
    numbers = zip(
        map(_address, tensors), map(_offset, tensors), map(_item_bytes, tensors), strict=True
    )
    return [address - int(offset) * size for address, offset, size in numbers]


def _forward(call: Call, keep: Sequence[str]) -> list[Tensor]:
    """The kept signals and the last states, each in memory of its own."""
    with exact(call.arrays.inputs[0]):
        outputs = call.forward(keep)
    return outputs if call.fresh else _apart(outputs, call.arrays.all)


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
    return _forward(call, call.kept if keep else call.kept[:1])


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
    with exact(call.arrays.inputs[0]):
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
        if is_transformed(sent):  # a batch of cotangents at once
            grads = call.backward(kept, sent[0], sent[1:], backend="reference")
        else:
            grads = _fold_backward(sent, *_lists(arrays), kept, level_sizes, key)
    return grads[:n_inputs], grads[n_inputs:first], grads[first:], None, None, None


class _Eager(torch.autograd.Function):
    """The fold of plain tensors, without torch's dispatcher between."""

    @staticmethod
    def forward(
        ctx: Any, key: str, level_sizes: Tensor, counts: tuple[int, int], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """The output's rows and the last states; everything the backward reads is saved."""
        first, second = counts[0], sum(counts)
        arrays = Arrays(list(tensors[:first]), list(tensors[first:second]), list(tensors[second:]))
        call = Call(key, arrays, level_sizes)
        outputs = _forward(call, call.kept)
        n_kept = len(call.kept)
        ctx.set_materialize_grads(False)
        ctx.key, ctx.counts = key, (*counts, n_kept)
        ctx.save_for_backward(level_sizes, *tensors, *outputs[:n_kept])
        return (outputs[0], *outputs[n_kept:])

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Any, ...]:
        """The cotangents of all arrays."""
        level_sizes, *tensors = ctx.saved_tensors
        n_inputs, n_edges, n_kept = ctx.counts
        edges, end = n_inputs + n_edges, len(tensors) - n_kept
        kept = tensors[end:]
        arrays = Arrays(tensors[:n_inputs], tensors[n_inputs:edges], tensors[edges:end])
        call = Call(ctx.key, arrays, level_sizes)
        return None, None, None, *_otherwise(call, kept, cotangents)


class _Prepared(torch.autograd.Function):
    """The fold of plain tensors for which the back end has everything ready."""

    @staticmethod
    def forward(
        ctx: Any,
        made: PreparedFold,
        call: tuple[str, Tensor | None],
        counts: tuple[int, int],
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        """The output's rows and the last states; everything the backward reads is saved."""
        outputs, kept = made.forward(tensors, keep=True)
        ctx.set_materialize_grads(False)
        ctx.made, ctx.call, ctx.counts = made, call, counts
        ctx.save_for_backward(*tensors, outputs[0], kept)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, d_y: Tensor | None, *d_ends: Tensor | None) -> tuple[Any, ...]:
        """The cotangents of all arrays."""
        made: PreparedFold = ctx.made
        *tensors, y, kept = ctx.saved_tensors
        first, second = ctx.counts[0], sum(ctx.counts)
        edges = tensors[first:second]
        given = [d for d in (d_y, *d_ends) if d is not None]
        in_form = y.is_contiguous() and kept.is_contiguous() and kept.dtype is y.dtype
        with exact(y):
            if (
                in_form
                and not torch.is_grad_enabled()
                and made.has_backward
                and made.fits(tensors, keep=True)
                and not is_transformed(given)
            ):
                sent = [torch.zeros_like(y) if d_y is None else d_y.contiguous()]
                for edge, end in zip(edges, d_ends, strict=True):
                    sent.append(_zeros(edge.shape, edge.dtype) if end is None else end.contiguous())
                return None, None, None, *made.backward(tensors, y, kept, sent)
            key, level_sizes = ctx.call
            arrays, rows = Arrays(tensors[:first], edges, tensors[second:]), made.rows_of(y, kept)
            if made.padded:
                found = _of_padded(key, arrays, rows, (d_y, *d_ends))
            else:
                found = _otherwise(Call(key, arrays, level_sizes), rows, (d_y, *d_ends))
            return None, None, None, *found


def _of_padded(
    key: str, arrays: Arrays, rows: Sequence[Tensor], given: Sequence[Tensor | None]
) -> Sequence[Tensor | None]:
    """The cotangents where x is [T, B, I], those of y likewise, and of last states [1, B, ·]."""
    (x,), (d_y, *d_ends) = arrays.inputs, given
    flat = Arrays([x.flatten(0, 1)], arrays.edges, arrays.parameters)
    sizes = even_levels(x.shape[0], x.shape[1], torch.device("cpu")).sizes
    d_rows = None if d_y is None else d_y.reshape(-1, *d_y.shape[2:])
    ends = [None if d is None else d.reshape(d.shape[1:]) for d in d_ends]
    d_x, *others = _otherwise(Call(key, flat, sizes), rows, (d_rows, *ends))
    return [None if d_x is None else d_x.reshape(x.shape), *others]


@lru_cache(maxsize=64)
def _zeros(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Zeros that are only read: initial states, cotangents of last states that nobody has used."""
    with torch.inference_mode(mode=False):
        return torch.zeros(shape, dtype=dtype, device="cpu")  # whatever the default device is


def _otherwise(
    call: Call, kept: Sequence[Tensor], given: Sequence[Tensor | None]
) -> Sequence[Tensor | None]:
    """The cotangents of all arrays where nothing is ready, or they are looked on at."""
    d_rows, *d_ends = given
    if torch.is_grad_enabled():
        return _differentiable(call, [d_rows, *[None] * (len(kept) - 1), *d_ends], len(kept))
    sent = _whole_cotangents(call, d_rows, d_ends)
    transformed = "reference" if is_transformed(sent) else ""
    with exact(call.arrays.inputs[0]):
        found = call.backward(kept, sent[0], sent[1:], backend=transformed)
    if transformed:
        return found
    found = [d.contiguous() for d in found]
    return found if call.fresh else _apart(found, [*call.arrays.all, *sent], among=False)


_apply: Callable[..., tuple[Tensor, ...]] = super(torch.autograd.Function, _Prepared).apply
"""Without what torch does for wrapped tensors first: there are none here."""


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
    with torch.enable_grad(), exact(call.arrays.inputs[0]):
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


def _lists(arrays: Arrays) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    return arrays.inputs, arrays.edges, arrays.parameters


_fold.register_autograd(_backward, setup_context=_setup)


def fold(key: str, arrays: Arrays, level_sizes: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Fold a bound cell over the rows of a batch.

    Args:
        key: what `bind` returned.
        arrays: the inputs' rows [R, ·], the initial states [B, ·] and the parameters.
        level_sizes: int64 [T]: how many sequences have a step t; never rising.

    Returns:
        The output's rows [R, ·], zeros beyond the live ones, and the last states [B, ·].
    """
    if is_transformed(arrays.all):
        call = Call(key, arrays, level_sizes)
        with exact(call.arrays.inputs[0]):
            outputs = call.forward(call.kept[:1], backend="reference")
        return outputs[0], outputs[1:]
    tensors = arrays.all
    keep = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    if is_plain(tensors):
        return _folded(key, arrays, level_sizes, keep=keep)
    outputs = _fold(*_lists(arrays), level_sizes, key, keep)
    n_edges = len(arrays.edges)
    return outputs[0], outputs[len(outputs) - n_edges :]


def fold_padded(
    key: str, x: Tensor, edges: Sequence[tuple[int, ...]], parameters: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]] | None:
    """Fold a bound cell over sequences of one length from states of zeros, in few steps.

    Args:
        key: what `bind` returned.
        x: [T, B, I].
        edges: the shapes of a state's rows.
        parameters: in the cell's order.

    Returns:
        The output [T, B, ·] and the last states [1, B, ·]; None where `fold` has to do it.
    """
    if not x.is_cpu or not x.numel():
        return None
    states = [_zeros((x.shape[1], *shape), x.dtype) for shape in edges]
    tensors = [x, *states, *parameters]
    if not is_plain(tensors) or is_transformed(tensors):
        return None
    made = prepared_padded(key, x)
    keep = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    if made is None or not made.fits(tensors, keep=keep):
        return None
    with exact(x):
        if keep:
            y, *ends = _apply(made, (key, None), (1, len(states)), *tensors)
        else:
            (y, *ends), _ = made.forward(tensors, keep=False)
    return y, ends


def _folded(
    key: str, arrays: Arrays, level_sizes: Tensor, *, keep: bool
) -> tuple[Tensor, list[Tensor]]:
    tensors, counts = arrays.all, (len(arrays.inputs), len(arrays.edges))
    made = prepared(key, arrays, level_sizes)
    if made is None or not made.fits(tensors, keep=keep):
        if keep:
            y, *ends = _Eager.apply(key, level_sizes, counts, *tensors)  # type: ignore[no-untyped-call]
            return y, ends
        call = Call(key, arrays, level_sizes)
        outputs = _forward(call, call.kept[:1])
    else:
        with exact(tensors[0]):
            if keep:
                outputs = list(_apply(made, (key, level_sizes), counts, *tensors))
            else:
                outputs, _ = made.forward(tensors, keep=False)
    return outputs[0], outputs[1:]
