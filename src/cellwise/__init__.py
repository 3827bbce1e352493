"""Write a recurrent or recursive network as its equations, and get a trained model."""

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
from cellwise.layers import Recurrent

if TYPE_CHECKING:
    from cellwise.training.run import load_run

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "Cell",
    "CellwiseError",
    "ConfigError",
    "DataError",
    "EquationError",
    "Recurrent",
    "ShapeError",
    "StructureError",
    "cells",
    "load_run",
]


def __getattr__(name: str) -> Any:
    """`load_run` brings the training extras along, so it is loaded on first use."""
    if name == "load_run":
        from cellwise.training.run import load_run

        return load_run
    raise AttributeError(f"module 'cellwise' has no attribute {name!r}")
