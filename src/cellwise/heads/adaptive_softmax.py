"""The adaptive softmax: rare symbols in clusters, with smaller vectors, for large vocabularies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from cellwise.errors import ConfigError


class AdaptiveSoftmax(nn.Module):
    """A distribution over symbols of which the frequent ones, which come first, are cheap.

    The head decides among the first symbols and one cluster for each further stretch of them; a
    cluster's own vectors have F / 4, F / 16 … numbers.

    Source: Grave et al. 2017 (arXiv:1609.04309), as torch has it.

    Example:
        >>> import torch
        >>> head = AdaptiveSoftmax(16, 1000, (100, 400))
        >>> head.log_probabilities(torch.zeros(5, 2, 16)).shape
        torch.Size([5, 2, 1000])

    Args:
        input_size: F.
        n_symbols: V.
        cutoffs: the numbers of the symbols that clusters start at, ascending, each below V.

    Raises:
        ConfigError: the cutoffs are not so, or are so many that the last cluster's vectors would
            have no number.
    """

    def __init__(self, input_size: int, n_symbols: int, cutoffs: Sequence[int]):
        super().__init__()
        asked = list(cutoffs)
        if not asked or asked != sorted(set(asked)) or asked[0] < 1 or asked[-1] >= n_symbols:
            raise ConfigError(
                f"model.cutoffs = {asked}: the symbols at which the adaptive softmax starts a "
                f"cluster must ascend, from 1 to {n_symbols - 1}, of a vocabulary of {n_symbols}"
            )
        if input_size < 4 ** len(asked):
            raise ConfigError(
                f"model.cutoffs = {asked}: the last of {len(asked)} clusters would have vectors of "
                f"{input_size} / 4 ** {len(asked)} numbers, which is none: name fewer cutoffs, or "
                f"let the model give {4 ** len(asked)} numbers a symbol and more"
            )
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(input_size, n_symbols, asked, head_bias=True)

    def forward(self, features: Tensor, right: Tensor) -> Tensor:
        """The log probabilities of right symbols: `[N, F]` and int64 `[N]` to `[N]`."""
        with _exactly(features):
            return cast(Tensor, self.softmax(features.to(self._type), right).output)

    def log_probabilities(self, features: Tensor) -> Tensor:
        """The log probabilities of all symbols: `[..., F]` to `[..., V]`."""
        with _exactly(features):
            flat = self.softmax.log_prob(features.flatten(0, -2).to(self._type))
        return cast(Tensor, flat.unflatten(0, features.shape[:-1]))

    @property
    def _type(self) -> torch.dtype:
        return self.softmax.head.weight.dtype


def _exactly(features: Tensor) -> torch.autocast:
    """Without mixed precision: torch's module puts results of clusters into rows of one type."""
    return torch.autocast(features.device.type, enabled=False)
