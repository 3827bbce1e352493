"""The zoo: known cells by name, a file each, with their equations, their source and their start.

    >>> from cellwise import cells
    >>> cells.names()[:3]
    ('elman', 'jordan', 'lstm')
    >>> print(cells.get("elman"))
    h[t] = tanh(U_h @ x[t] + W_h @ h[t-1] + b_h)  # the hidden units see their own past

A cell's file is read when the cell is first asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module

from cellwise.cell import Cell
from cellwise.errors import ConfigError, nearest
from cellwise.graph.system import Structure

_OVER_CHAINS = (
    # Simple networks.
    "elman",
    "jordan",
    # The LSTM and its relatives.
    "lstm",
    "lstm_no_forget",
    "lstm_peephole",
    "lstm_coupled",
    "lstm_projected",
    "lstm_layernorm",
    "slstm",
    "janet",
    # The GRU and its relatives.
    "gru",
    "gru_v3",
    "mgu",
    "mut1",
    "mut3",
    "ugrnn",
    "fastgrnn",
    "rhn",
    "brc",
    "nbrc",
    # The state enters element by element.
    "indrnn",
    "cfn",
    "ran",
    "scrn",
    "sru_peephole",
    # The state enters linearly, and its gates see the input only.
    "sru",
    "mingru",
    "minlstm",
    "trnn",
    # Discretised differential equations.
    "ctrnn",
    "antisymmetric",
    "cornn",
    "lem",
)

_OVER_TREES = (
    # Over trees and grids.
    "recursive",
    "rntn",
    "tree_lstm",
    "tree_lstm_binary",
    "tree_gru",
    "dependency",
    "mdlstm",
)

_NAMES = (*_OVER_CHAINS, *_OVER_TREES)


@dataclass(frozen=True)
class Entry:
    """A cell of the zoo with what a person wants to know of it.

    Attributes:
        name: what `get` takes.
        title: the cell's name in words.
        source: the paper and its equations.
        description: what the cell is, and how it differs from the paper's and from torch's.
        cell: the cell itself.
    """

    name: str
    title: str
    source: str
    description: str
    cell: Cell


def names(structure: Structure | None = None) -> tuple[str, ...]:
    """The names of all cells, relatives side by side: first those over chains, then over trees.

    Args:
        structure: "chain" for those that `Recurrent` takes, "tree" for those of `Recursive`.
    """
    if structure is None:
        return _NAMES
    return _OVER_CHAINS if structure == "chain" else _OVER_TREES


@cache
def entry(name: str) -> Entry:
    """The cell of that name with its title, source and description.

    Raises:
        ConfigError: no cell has this name.
    """
    if name not in _NAMES:
        hint = nearest(name, _NAMES) or f"Known cells: {', '.join(_NAMES)}."
        raise ConfigError(f"there is no cell named '{name}'. {hint}")
    module = import_module(f"cellwise.cells.{name}")
    return Entry(name, module.TITLE, module.SOURCE, (module.__doc__ or "").strip(), module.CELL)


def get(name: str) -> Cell:
    """The cell of that name.

    Raises:
        ConfigError: no cell has this name.
    """
    return entry(name).cell
