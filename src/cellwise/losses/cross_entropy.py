"""Cross-entropy: how many nats a model needs to say what is right."""

from __future__ import annotations

from torch import Tensor, nn


def cross_entropy(
    scores: Tensor,
    right: Tensor,
    *,
    ignore: int,
    smoothing: float = 0.0,
    weights: Tensor | None = None,
) -> Tensor:
    """The summed cross-entropy, in nats, of the right symbols.

    Args:
        scores: `[..., V]`, logits.
        right: int64 `[...]`; places that hold `ignore` do not count.
        ignore: the number of padding.
        smoothing: the share of each right symbol's probability that is spread over all symbols in
            training (label smoothing; Szegedy et al. 2016, arXiv:1512.00567, section 7).
        weights: `[V]`, how much a right symbol counts; None: all alike.

    Returns:
        A scalar tensor.
    """
    return nn.functional.cross_entropy(
        scores.flatten(0, -2),
        right.flatten(),
        weight=weights,
        ignore_index=ignore,
        reduction="sum",
        label_smoothing=smoothing,
    )
