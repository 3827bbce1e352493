"""The softmax of large vocabularies, trained against a sample of the other symbols."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sampled_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, right: Tensor, n_samples: int
) -> Tensor:
    """The summed cross-entropy, in nats, of right symbols among themselves and others drawn.

    The others are drawn anew at each call and shared by its rows: symbol k of the vocabulary, in
    which the frequent ones come first, with the probability of `log_proposal`, Q(k). The logit of a
    drawn symbol is less log(n Q(k)), as often as it is drawn; that of the right one stays as it is,
    and does not count a second time where it is drawn. So the sum of the exponentials is that of
    the whole softmax in the mean, and the gradient tends to that one's as n grows.

    Source: importance sampling after Bengio and Senécal 2008 (IEEE Trans. Neural Networks 19) and
    Jean et al. 2015 (arXiv:1412.2007), section 3, with a log-uniform proposal in place of parts of
    the training text, and the right symbol's logit as it is.

    Args:
        features: `[N, F]`.
        weight: `[V, F]`.
        bias: `[V]`.
        right: int64 `[N]`.
        n_samples: n, how many symbols are drawn.

    Returns:
        A scalar tensor.
    """
    drawn = draw(len(weight), n_samples).to(right.device)
    shift = (log_proposal(len(weight)) + math.log(n_samples)).to(bias)
    logits = features @ weight[drawn].T + (bias - shift)[drawn]
    logits = logits.masked_fill(drawn == right[:, None], -torch.inf)
    own = (features * weight[right]).sum(-1) + bias[right]
    return (torch.cat([own[:, None], logits], dim=1).logsumexp(dim=1) - own).sum()


def log_proposal(n_symbols: int) -> Tensor:
    """The log probabilities, `[V]`, that symbols are drawn with: near Zipf's law.

    Q(k) = log((k + 2) / (k + 1)) / log(V + 1).
    """
    k = torch.arange(n_symbols, dtype=torch.float64)
    return (torch.log1p(1 / (k + 1)) / math.log(n_symbols + 1)).log()


def draw(n_symbols: int, n_samples: int) -> Tensor:
    """Symbols drawn by that proposal, int64 `[n]`: floor((V + 1) ** u) - 1 for uniform u."""
    u = torch.rand(n_samples, dtype=torch.float64)
    return (((n_symbols + 1) ** u).long() - 1).clamp_(max=n_symbols - 1)
