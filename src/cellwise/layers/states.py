"""The named tuples in which layers hand out their states."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from torch import Tensor

_namedtuple: Any = namedtuple
"""Untyped, since no type checker knows the fields of a cell."""

_types: dict[tuple[str, ...], Any] = {}


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
