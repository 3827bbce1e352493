"""What a torch user sees: networks made of cells, as modules."""

from cellwise.layers.recurrent import Recurrent
from cellwise.layers.recursive import Recursive

__all__ = ["Recurrent", "Recursive"]
