"""What rounding does to a result: the reference with every operation a little wrong, at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cellwise.backends import BACKENDS
from cellwise.backends.base import Bound, Direction, Feed, Swept
from cellwise.backends.reference import Reference
from cellwise.backends.schedule import Schedule


class _Shaken(TorchFunctionMode):
    """Moves every number that a torch function gives by about a rounding error of `dtype`."""

    def __init__(self, dtype: torch.dtype, generator: torch.Generator):
        super().__init__()
        self.epsilon, self.generator = torch.finfo(dtype).eps, generator

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not isinstance(result, Tensor) or not result.is_floating_point():
            return result
        noise = torch.randn(result.shape, generator=self.generator, dtype=result.dtype)
        return result * (1 + self.epsilon * noise)


class Shaky(Reference):
    """The reference in float64, with rounding errors of another precision drawn at random."""

    name = "shaky"

    def __init__(self, dtype: torch.dtype):
        self.dtype = dtype
        self.generator = torch.Generator().manual_seed(0)

    def sweep(
        self,
        bound: Bound,
        direction: Direction,
        feed: Feed,
        schedule: Schedule,
        keep: Sequence[str],
    ) -> Swept:
        with _Shaken(self.dtype, self.generator):
            return super().sweep(bound, direction, feed, schedule, keep)


@contextmanager
def shaky(dtype: torch.dtype) -> Iterator[str]:
    """The name of a back end that rounds as if in `dtype`, each time in another way."""
    BACKENDS[Shaky.name] = Shaky(dtype)
    try:
        yield Shaky.name
    finally:
        del BACKENDS[Shaky.name]
