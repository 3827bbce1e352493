"""The named tuples in which layers hand out their states."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from typing import Any

from torch import Tensor

from cellwise.errors import ShapeError

_namedtuple: Any = namedtuple
"""Untyped, since no type checker knows the fields of a cell."""

_types: dict[tuple[str, ...], Any] = {}


def listed_states(state: object) -> list[Any]:
    """What a person gives as states, as a list.

    Raises:
        ShapeError: it is nothing that holds tensors.
    """
    if isinstance(state, Iterable) and not isinstance(state, str):
        return list(state)
    raise ShapeError(f"state must be a tensor or several, but is a {type(state).__name__}")


def check_state(name: str, state: object) -> None:
    """A state is a tensor of floating-point numbers.

    Raises:
        ShapeError: it is none.
    """
    if not isinstance(state, Tensor):
        raise ShapeError(f"state.{name} must be a tensor, but is a {type(state).__name__}")
    if not state.is_floating_point():
        raise ShapeError(f"state.{name} must hold floating-point numbers, but is {state.dtype}")


def state_type(names: tuple[str, ...]) -> Any:
    """The named tuple of states of these names, one class for each set of names.

    A layer asks for it when it is built, so that `torch.compile` finds it made.
    """
    if names not in _types:
        made = _namedtuple("State", names, rename=True)
        made.__reduce__ = lambda state: (_restored, (names, tuple(state)))
        _types[names] = made
    return _types[names]


def _restored(names: tuple[str, ...], values: tuple[Tensor, ...]) -> Any:
    """States of these names: how a pickled state comes back."""
    return state_type(names)(*values)
