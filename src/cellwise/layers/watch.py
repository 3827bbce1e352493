"""`Watch`: notices when weights change, at the cost of a few microseconds a look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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

    Attributes:
        has_changed: tells whether weights may have changed since they were noted.
    """

    has_changed: Callable[[], bool]

    def __init__(self, modules: Sequence[nn.Module]):
        self._tables = [module._parameters for module in modules]
        _Optimisers.watch()
        self.note()

    def note(self) -> None:
        """Take the weights as they are now for those to compare with."""
        # While these are held, no other weight can come to lie at one of their addresses.
        self._held = [weight.detach() for weight in self.weights()]
        self.has_changed = _comparison(self._tables)

    def weights(self) -> list[Any]:
        """All parameters as they are now."""
        return [weight for table in self._tables for weight in table.values()]


def _comparison(tables: Sequence[Mapping[str, Any]]) -> Callable[[], bool]:
    """Compares what is in the tables with what is there now.

    A function with all that it reads in its own cells: between steps, whose weights have filled the
    caches, every object on the way to another costs time.
    """
    names_now = [table.keys() for table in tables]
    values_now = [table.values() for table in tables]
    names, weights = [*chain(*names_now)], [*chain(*values_now)]
    # torch counts no changes of what is made in inference mode
    counted = [weight for weight in weights if not weight.is_inference()]
    addresses, versions = [*map(_address, weights)], [*map(_version, counted)]
    optimisers, n_steps = _Optimisers, _Optimisers.n_steps

    def has_changed() -> bool:
        return not (
            all(map(is_, chain(*values_now), weights))
            and [*chain(*names_now)] == names  # so there are no more than before
            and [*map(_address, weights)] == addresses
            and [*map(_version, counted)] == versions
            and optimisers.n_steps == n_steps
        )

    return has_changed


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
