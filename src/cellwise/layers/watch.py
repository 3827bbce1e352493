"""`Watch`: notices when weights change, at the cost of a few microseconds a look."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from operator import attrgetter, is_
from typing import Any

from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

_address, _version = Tensor.data_ptr, attrgetter("_version")


class Watch:
    """Notices when the parameters of modules, not those of their parts, change after `note()`.

    A parameter may be replaced or renamed, its memory exchanged (`weight.data = ...`, as
    `module.to(...)` does), or its values changed: what torch counts as a change, and any step of an
    optimiser, since torch does not count what fused ones write. Values written through
    `weight.data`, numpy or another process go unnoticed.
    """

    def __init__(self, modules: Sequence[nn.Module]):
        self._tables = [module._parameters for module in modules]
        _Optimisers.watch()
        self.note()

    def note(self) -> None:
        """Take the weights as they are now for those to compare with."""
        self._weights = self.weights()
        self._names = [*chain.from_iterable(self._tables)]
        self._marks = _marks(self._weights)
        # While these are held, no other weight can come to lie at one of their addresses.
        self._held = [weight.detach() for weight in self._weights]

    def weights(self) -> list[Any]:
        """All parameters as they are now."""
        return [weight for table in self._tables for weight in table.values()]

    def has_changed(self) -> bool:
        """Whether weights may have changed since they were noted."""
        weights = self.weights()
        return (
            _marks(weights) != self._marks
            or [*chain.from_iterable(self._tables)] != self._names
            or not all(map(is_, weights, self._weights))
        )


def _marks(weights: list[Tensor]) -> list[int]:
    """Numbers of which one is another as soon as a weight is moved or written to."""
    try:
        return [*map(_address, weights), *map(_version, weights), _Optimisers.n_steps]
    except RuntimeError:  # torch counts no changes of what is made in inference mode
        return [*map(_address, weights)]


class _Optimisers:
    """How many steps all optimisers have made since the first watch began."""

    n_steps = 0

    @staticmethod
    @cache
    def watch() -> None:
        """Count from now on."""
        register_optimizer_step_post_hook(_Optimisers._count)

    @staticmethod
    def _count(*_: object) -> None:
        _Optimisers.n_steps += 1
