"""The way from a text to a system, in order."""

from __future__ import annotations

from cellwise.equation.arrange import Layout, arrange
from cellwise.equation.canonical import canonical
from cellwise.equation.check import check
from cellwise.equation.infer import Builder
from cellwise.equation.parse import parse
from cellwise.equation.resolve import Resolver
from cellwise.graph.system import System


def read_system(text: str) -> System:
    """The system of equations that a cell's text says.

    Raises:
        EquationError: the text is no set of equations.
        ShapeError: its dimensions contradict each other.
    """
    return canonical(Builder(read_layout(text)).system())


def read_layout(text: str) -> Layout:
    """The checked lines of a text, names looked up."""
    layout = arrange(parse(text))
    resolver = Resolver(layout)
    layout.steps = [resolver.line(line) for line in layout.steps]
    layout.leaves = [resolver.line(line) for line in layout.leaves]
    layout.totals = [resolver.line(line) for line in layout.totals]
    layout.initial = {name: resolver.line(line) for name, line in layout.initial.items()}
    check(layout)
    return layout
