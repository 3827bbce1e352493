"""Programs of many cells, for tests of what back ends make of them. No torch."""

from __future__ import annotations

from dataclasses import replace

from cellwise import cells
from cellwise.cell import Cell
from cellwise.graph.node import walk
from cellwise.graph.system import System
from cellwise.passes.pipeline import Compiled, compile_system
from cellwise.passes.program import Program


def compiled(text_or_name: str) -> Compiled:
    """The programs of a cell of the zoo, or of a text."""
    known = text_or_name in cells.names()
    cell = cells.get(text_or_name) if known else Cell(text_or_name)
    return compile_system(replace(cell.system, initial=()))


def sizes_of(system: System, *numbers: int) -> dict[str, int]:
    """A number for every symbolic size, in order of first use, again from the start."""
    shapes = [node.shape for node in walk(system.roots())]
    names = dict.fromkeys(name for shape in shapes for size in shape for name in size.names())
    return {name: numbers[place % len(numbers)] for place, name in enumerate(names)}


def both(text_or_name: str) -> list[Program]:
    """The forward and the backward program."""
    found = compiled(text_or_name)
    return [found.forward, found.backward]
