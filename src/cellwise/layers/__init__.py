"""What a torch user sees: networks made of cells, as modules."""

from cellwise.layers.recurrent import Recurrent

__all__ = ["Recurrent"]
