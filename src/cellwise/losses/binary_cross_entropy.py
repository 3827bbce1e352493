"""Binary cross-entropy: nats for saying of each label whether it is right."""

from __future__ import annotations

from torch import Tensor, nn


def binary_cross_entropy(
    scores: Tensor, right: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """The summed cross-entropy, in nats, of independent labels.

    Args:
        scores: `[..., V]`, the logits of each label.
        right: `[..., V]`, 1 where a label is right, else 0.
        smoothing: how far targets move towards one half: 1 becomes 1 - smoothing / 2.
        weights: `[V]`, how much a label counts where it is right.

    Returns:
        A scalar tensor.
    """
    wanted = right * (1 - smoothing) + smoothing / 2 if smoothing else right
    return nn.functional.binary_cross_entropy_with_logits(
        scores, wanted, pos_weight=weights, reduction="sum"
    )
