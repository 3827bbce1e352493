"""Write a recurrent or recursive network as its equations, and get a trained model."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cellwise import cells
from cellwise.cell import Cell
from cellwise.errors import (
    BackendError,
    CellwiseError,
    ConfigError,
    DataError,
    EquationError,
    ShapeError,
    StructureError,
)

if TYPE_CHECKING:
    from cellwise.layers import Recurrent, Recursive
    from cellwise.structures.forest import Forest
    from cellwise.training.run import load_run

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "Cell",
    "CellwiseError",
    "ConfigError",
    "DataError",
    "EquationError",
    "Forest",
    "Recurrent",
    "Recursive",
    "ShapeError",
    "StructureError",
    "cells",
    "load_run",
]

_ON_FIRST_USE = {
    "Forest": "cellwise.structures.forest",
    "Recurrent": "cellwise.layers",
    "Recursive": "cellwise.layers",
    "load_run": "cellwise.training.run",
}
"""What brings torch or the training extras along, so that equations and `--help` need neither."""


def __getattr__(name: str) -> Any:
    """Load what `_ON_FIRST_USE` names when it is first asked for."""
    if name in _ON_FIRST_USE:
        return getattr(import_module(_ON_FIRST_USE[name]), name)
    raise AttributeError(f"module 'cellwise' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, those not yet loaded included."""
    return __all__
