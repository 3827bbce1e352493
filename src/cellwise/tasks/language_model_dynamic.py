"""Dynamic evaluation: a language model that goes on learning from the text it is judged on."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from cellwise.errors import ConfigError
from cellwise.tasks.language_model_config import LanguageModelDecoding
from cellwise.tasks.language_model_network import LanguageModel

SECOND_MOMENT_DECAY = 0.999
"""The share that a step keeps of the squares of gradients before it, as Adam has it."""


class DynamicModel:
    """A copy of a model that takes a step after each piece of text, once the piece was scored.

    So every symbol is scored by weights that have seen nothing but what comes before it.

    Source: Krause et al. 2018 (arXiv:1709.07432). Gradients are divided by the root of the mean of
    their squares, as in its RMS rule; the mean is over the pieces so far, with Adam's correction,
    where the paper has that of the training text; weights are not drawn back to the trained ones.

    Args:
        model: in eval mode; stays as it is.
        rate: the size of a step.
    """

    def __init__(self, model: LanguageModel, rate: float):
        self.model = copy.deepcopy(model)
        for module in self.model.modules():
            if isinstance(module, nn.Embedding):
                module.sparse = False  # as AdaGrad trains it; Adam takes no sparse gradients
        learnt = [p for p in self.model.parameters() if p.requires_grad]
        self._rate = rate
        self._optimiser = torch.optim.Adam(
            learnt, lr=rate, betas=(0.0, SECOND_MOMENT_DECAY), fused=True
        )

    def learn(self, nats: Tensor, n_symbols: int) -> None:
        """Take a step against the summed loss of a piece of so many symbols.

        Raises:
            ConfigError: the loss is no number any more, as steps are too large.
        """
        if not math.isfinite(float(nats.detach())):
            raise ConfigError(
                f"decoding.dynamic_rate: {self._rate:g} is too large: the loss has become "
                f"{float(nats.detach())}; 0.0003 is usual, 0 learns nothing"
            )
        self._optimiser.zero_grad()
        nats.backward(torch.full_like(nats, 1 / n_symbols))
        self._optimiser.step()


def dynamic_model(model: LanguageModel, decoding: LanguageModelDecoding) -> DynamicModel | None:
    """The copy that learns, if the configuration asks for one."""
    return DynamicModel(model, decoding.dynamic_rate) if decoding.dynamic_rate else None
