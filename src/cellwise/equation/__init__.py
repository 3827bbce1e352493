"""From a cell's text to its system of equations, and back to text, Unicode and LaTeX."""

from cellwise.equation.canonical import canonical
from cellwise.equation.explain import why_equal
from cellwise.equation.read import read_system
from cellwise.equation.show import show

__all__ = ["canonical", "read_system", "show", "why_equal"]
