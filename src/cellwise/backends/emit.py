"""The reference back end's table: each operation as a torch function.

A value that varies has a leading dimension of rows, [n, ·]; one that does not has none.
`EMIT[operation](node, sizes)` gives the function of the argument tensors. Everything is made of
operations that torch can differentiate to any order and transform by `torch.func`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor

from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Node
from cellwise.graph.operations import EPSILON

Sizes = Mapping[str, int]
Function = Callable[..., Tensor]
Emit = Callable[[Node, Sizes], Function]


def _aligned(function: Function, node: Node) -> Function:
    """`function` with a varying scalar spread over the trailing dimensions of the result."""
    gaps = [len(node.shape) - len(a.shape) if a.varies else 0 for a in node.arguments]
    if not any(gaps):
        return function

    def apply(*values: Tensor) -> Tensor:
        return function(
            *(v.reshape(*v.shape, *[1] * gap) for v, gap in zip(values, gaps, strict=True))
        )

    return apply


def _elementwise(function: Function) -> Emit:
    return lambda node, _: _aligned(function, node)


def _plain(function: Function) -> Emit:
    return lambda _node, _sizes: function


def _step(a: Tensor) -> Tensor:
    return (a > 0).to(a.dtype)


def _greater(a: Tensor, b: Tensor) -> Tensor:
    dtype = torch.promote_types(a.dtype, b.dtype)
    return (a > b).to(dtype) + 0.5 * (a == b).to(dtype)


def _softplus(a: Tensor) -> Tensor:
    # beyond 50, log(1 + exp(a)) = a in float64 too
    return torch.nn.functional.softplus(a, threshold=50.0)


def _gelu(a: Tensor) -> Tensor:
    return 0.5 * a * (1 + torch.erf(a * math.sqrt(0.5)))


def _inverse_std(v: Tensor) -> Tensor:
    centred = v - v.mean(-1, keepdim=True)
    return torch.rsqrt((centred * centred).mean(-1) + EPSILON)


def _norm(v: Tensor) -> Tensor:
    return (v - v.mean(-1, keepdim=True)) * _inverse_std(v).unsqueeze(-1)


def _is_largest(v: Tensor) -> Tensor:
    hit = (v == v.amax(-1, keepdim=True)).to(v.dtype)
    return hit / hit.sum(-1, keepdim=True)


def _pow(node: Node, _: Sizes) -> Function:
    exponent = node.arguments[1]
    if exponent.operation == "number" and exponent.attributes[0] == 2.0:
        return lambda a, _two: torch.square(a)
    return _aligned(torch.pow, node)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)


def _matmul(node: Node, _: Sizes) -> Function:
    left, right = node.arguments
    if len(right.shape) == 2:
        return torch.matmul
    if left.varies:
        return lambda m, v: torch.matmul(m, v.unsqueeze(-1)).squeeze(-1)
    if right.varies:
        return lambda m, v: torch.nn.functional.linear(v, m)
    return torch.mv


def _outer(node: Node, _: Sizes) -> Function:
    letters = "ijk"[: len(node.arguments)]
    equation = ",".join(f"...{letter}" for letter in letters) + "->..." + letters
    return lambda *vectors: torch.einsum(equation, *vectors)


def _bilinear(v: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.einsum("...ijk,...j,...k->...i", v, a, b)


def _concat(node: Node, _: Sizes) -> Function:
    axis = -len(node.shape)
    still = [node.varies and not a.varies for a in node.arguments]
    if not any(still):
        return lambda *pieces: torch.cat(pieces, axis)

    def apply(*pieces: Tensor) -> Tensor:
        rows = next(len(p) for p, fixed in zip(pieces, still, strict=True) if not fixed)
        whole = [
            p.expand(rows, *p.shape) if fixed else p for p, fixed in zip(pieces, still, strict=True)
        ]
        return torch.cat(whole, axis)

    return apply


def _part(node: Node, sizes: Sizes) -> Function:
    index = cast(int, node.attributes[0])
    lengths = [size.evaluate(sizes) for size in cast(tuple[Dim, ...], node.attributes[1])]
    start, axis = sum(lengths[:index]), -len(node.shape)
    return lambda whole: whole.narrow(axis, start, lengths[index])


def _broadcast(node: Node, sizes: Sizes) -> Function:
    shape = [size.evaluate(sizes) for size in cast(Shape, node.attributes[0])]
    return lambda s: s.reshape(*s.shape, *[1] * len(shape)).expand(*s.shape, *shape)


def _permute(node: Node, _: Sizes) -> Function:
    axes = [cast(int, axis) - 3 for axis in cast(tuple[object, ...], node.attributes[0])]
    return lambda v: v.permute(*range(v.dim() - 3), *axes)


EMIT: dict[str, Emit] = {
    "neg": _elementwise(torch.neg),
    "abs": _elementwise(torch.abs),
    "sign": _elementwise(torch.sign),
    "step": _elementwise(_step),
    "exp": _elementwise(torch.exp),
    "log": _elementwise(torch.log),
    "sqrt": _elementwise(torch.sqrt),
    "sin": _elementwise(torch.sin),
    "cos": _elementwise(torch.cos),
    "erf": _elementwise(torch.erf),
    "tanh": _elementwise(torch.tanh),
    "sigmoid": _elementwise(torch.sigmoid),
    "relu": _elementwise(torch.relu),
    "softplus": _elementwise(_softplus),
    "silu": _elementwise(lambda a: a * torch.sigmoid(a)),
    "gelu": _elementwise(_gelu),
    "hard_sigmoid": _elementwise(lambda a: torch.clamp(a + 3, 0, 6) / 6),
    "hard_tanh": _elementwise(lambda a: torch.clamp(a, -1, 1)),
    "add": _elementwise(torch.add),
    "sub": _elementwise(torch.sub),
    "mul": _elementwise(torch.mul),
    "div": _elementwise(torch.div),
    "pow": _pow,
    "maximum": _elementwise(torch.maximum),
    "minimum": _elementwise(torch.minimum),
    "greater": _elementwise(_greater),
    "sum": _plain(lambda v: v.sum(-1)),
    "mean": _plain(lambda v: v.mean(-1)),
    "largest": _plain(lambda v: v.amax(-1)),
    "smallest": _plain(lambda v: v.amin(-1)),
    "dot": _plain(_dot),
    "inverse_std": _plain(_inverse_std),
    "softmax": _plain(lambda v: torch.softmax(v, -1)),
    "norm": _plain(_norm),
    "is_largest": _plain(_is_largest),
    "matmul": _matmul,
    "transpose": _plain(lambda m: m.mT),
    "outer": _outer,
    "concat": _concat,
    "part": _part,
    "broadcast": _broadcast,
    "bilinear": _plain(_bilinear),
    "permute": _permute,
    "flatten": _plain(lambda v: v.flatten(-2)),
    "kron": _plain(lambda a, b: (a.unsqueeze(-1) * b.unsqueeze(-2)).flatten(-2)),
}
"""Every operation that is neither a leaf nor over steps or children; those are the sweep's."""
