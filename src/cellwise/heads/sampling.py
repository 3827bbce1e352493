"""Drawing a symbol from a distribution, whole or cut to its likely ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cellwise.errors import ConfigError


@dataclass(frozen=True)
class Sampling:
    """How symbols are drawn.

    Attributes:
        temperature: logits are divided by it: below 1 the likely symbols become likelier; 0 takes
            the likeliest always.
        top_k: only the k likeliest symbols (0: all).
        top_p: only the likeliest symbols that together have at least this probability (1: all).

    Raises:
        ConfigError: a number is out of its range.

    Source: top-k: Fan et al. 2018 (arXiv:1805.04833); top-p, or nucleus: Holtzman et al. 2020
    (arXiv:1904.09751), section 3.1.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ConfigError(f"temperature must be 0 or more, not {self.temperature}")
        if self.top_k < 0:
            raise ConfigError(f"top_k must be 0 (all symbols) or more, not {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p must be above 0 and at most 1, not {self.top_p}")

    def choose(self, log_probabilities: Tensor, generator: torch.Generator) -> Tensor:
        """A symbol for each row: `[B, V]` to int64 `[B]`; the generator is one of the CPU's."""
        if self.temperature == 0:
            return log_probabilities.argmax(dim=-1)
        probabilities = self.probabilities(log_probabilities.cpu())
        drawn = torch.multinomial(probabilities, 1, generator=generator)[:, 0]
        return drawn.to(log_probabilities.device)

    def probabilities(self, log_probabilities: Tensor) -> Tensor:
        """What symbols are drawn with: `[B, V]`, rows sum to 1; the temperature is not 0."""
        below = log_probabilities - log_probabilities.amax(dim=-1, keepdim=True)
        least = torch.finfo(below.dtype).tiny  # smaller numbers may be taken for 0
        kept = self._of_top_k(below / max(self.temperature, least))
        return torch.softmax(self._of_top_p(kept), dim=-1)

    def _of_top_k(self, logits: Tensor) -> Tensor:
        if not 0 < self.top_k < logits.shape[-1]:
            return logits
        likeliest = logits.topk(self.top_k, dim=-1)
        nothing = torch.full_like(logits, -torch.inf)
        return nothing.scatter(-1, likeliest.indices, likeliest.values)

    def _of_top_p(self, logits: Tensor) -> Tensor:
        if self.top_p == 1:
            return logits
        ordered, places = logits.sort(dim=-1, descending=True)
        shares = torch.softmax(ordered, dim=-1)
        before = shares.cumsum(dim=-1) - shares
        late = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, places, before >= self.top_p)
        return logits.masked_fill(late, -torch.inf)
