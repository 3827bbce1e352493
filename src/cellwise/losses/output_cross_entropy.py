"""Cross-entropy of a linear output layer, without holding all of its logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 1024
"""Rows whose logits are held at a time."""


@dataclass(frozen=True)
class Output:
    """A linear layer that gives logits: weight `[V, F]`, bias `[V]`."""

    weight: Tensor
    bias: Tensor


def output_cross_entropy(
    features: Tensor, output: Output, right: Tensor, *, smoothing: float = 0.0
) -> Tensor:
    """The summed cross-entropy, in nats, of the logits `features @ weight.T + bias`.

    It equals the cross-entropy of those logits. With thousands of symbols it takes about four
    fifths of the time, for the gradient is made along with the loss, some rows at a time and in
    place, so that `[N, V]` is never held.

    Args:
        features: `[N, F]`, of what counts: no padding.
        output: the layer.
        right: int64 `[N]`.
        smoothing: as in `cross_entropy`.

    Returns:
        A scalar tensor, which can be differentiated once.

    Example:
        >>> output = Output(torch.zeros(4, 3), torch.zeros(4))
        >>> output_cross_entropy(torch.ones(2, 3), output, torch.tensor([0, 3]))
        tensor(2.7726)
    """
    given = (features, output.weight, output.bias)
    learns = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given)
    found = _OutputCrossEntropy.apply(*given, right, smoothing, learns)  # type: ignore[no-untyped-call]
    return cast(Tensor, found)


class _OutputCrossEntropy(torch.autograd.Function):
    """The loss, and the gradient for a loss that counts once."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        features, weight, bias, right, smoothing, learns = given
        with torch.autocast(features.device.type, enabled=False):
            loss, gradients = _summed(features, Output(weight, bias), right, smoothing, learns)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor | None, ...]:
        return (*(d_loss.to(part.dtype) * part for part in ctx.saved_tensors), None, None, None)


def _summed(
    features: Tensor, output: Output, right: Tensor, smoothing: float, learns: bool
) -> tuple[Tensor, list[Tensor]]:
    """The loss, and if one learns the gradients of features, weight and bias."""
    weight = output.weight.to(features.dtype)  # features are short numbers in mixed precision
    loss = output.bias.new_zeros(())
    d_features = torch.empty_like(features) if learns else features
    d_weight, d_bias = (torch.zeros_like(t) if learns else t for t in (output.weight, output.bias))
    for start in range(0, len(features), CHUNK):
        rows = slice(start, start + CHUNK)
        logits = (features[rows] @ weight.T).to(output.bias.dtype).add_(output.bias)
        loss += _nats(logits, right[rows, None], smoothing)
        if learns:
            d_logits = _gradient(logits, right[rows, None], smoothing)
            d_bias += d_logits.sum(0)
            d_logits = d_logits.to(features.dtype)
            torch.mm(d_logits, weight, out=d_features[rows])
            d_weight += d_logits.T @ features[rows]
    return loss, [d_features, d_weight, d_bias] if learns else []


def _nats(logits: Tensor, right: Tensor, smoothing: float) -> Tensor:
    """The summed loss of logits `[n, V]`, which become probabilities in place."""
    wanted = logits.gather(1, right).sum() * (1 - smoothing)
    if smoothing:
        wanted += smoothing * logits.mean(1).sum()
    most = logits.amax(1, keepdim=True)
    total = logits.sub_(most).exp_().sum(1, keepdim=True)
    logits.div_(total)
    return (total.log_() + most).sum() - wanted


def _gradient(probabilities: Tensor, right: Tensor, smoothing: float) -> Tensor:
    """The gradient of the logits, in the place of the probabilities."""
    if smoothing:
        probabilities -= smoothing / probabilities.shape[1]
    less = probabilities.new_full((), smoothing - 1).expand(right.shape)
    return probabilities.scatter_add_(1, right, less)
