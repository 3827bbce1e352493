"""Write docs/cells.md from the zoo: `python docs/build_cells.py`. A test keeps the page in step."""

from __future__ import annotations

from pathlib import Path

from cellwise import cells
from cellwise.graph.dimension import Shape
from cellwise.graph.system import Structure

PAGE = Path(__file__).with_name("cells.md")

HEAD = """\
# The cells of the zoo

`cw.Recurrent("lstm", input_size, hidden_size)` takes any of the first list by name, and
`cw.Recursive("tree_lstm", input_size, hidden_size)` any of the second; `cw.cells.get("lstm")` gives
the cell, and `cellwise cells lstm --backward --latex` prints it. In the tables of parameters
a size is called after a signal that has it: `h × x` is a matrix with a row for each element of h
and a column for each of x. Where a table is silent on what a parameter starts from, the layer's
rule holds: recurrent square matrices are orthogonal, other matrices after Glorot, biases zero, a
forget gate's bias and the gains of a normalisation 1.

<!-- Written by docs/build_cells.py; do not edit by hand. -->
"""


def shown(shape: Shape) -> str:
    """A parameter's shape: "h × x"."""
    return " × ".join(str(size) for size in shape) or "one number"


TITLES: dict[Structure, str] = {"chain": "Over sequences", "tree": "Over trees and grids"}


def parameters(entry: cells.Entry) -> str:
    """The parameters of a cell, one row for those of one shape and one start."""
    rows: dict[tuple[str, str], list[str]] = {}
    for name, shape in entry.cell.parameters.items():
        start = entry.cell.init.get(name, "")
        size = shown(shape) + ", for each label" * (name in entry.cell.system.labels)
        rows.setdefault((size, str(start)), []).append(f"`{name}`")
    lines = ["| parameters | size | starts from |", "|---|---|---|"]
    lines += [f"| {', '.join(names)} | {size} | {start} |" for (size, start), names in rows.items()]
    return "\n".join(lines)


def section(entry: cells.Entry) -> str:
    """A cell's part of the page."""
    states = ", ".join(entry.cell.states)
    facts = f"*{entry.source}.* Output: {entry.cell.output}. State: {states}."
    equations = f"```\n{entry.cell.unicode()}\n```"
    head = f"## {entry.name}: {entry.title}"
    parts = [head, entry.description, facts, equations, parameters(entry)]
    return "\n\n".join(part.strip() for part in parts)


def page() -> str:
    """The whole page."""
    lists = [f"{title}:\n\n{links(structure)}" for structure, title in TITLES.items()]
    anchored = [f'<a id="{name}"></a>\n\n{section(cells.entry(name))}' for name in cells.names()]
    return "\n\n".join([HEAD.strip(), *lists, *anchored]) + "\n"


def links(structure: Structure) -> str:
    """The list of the cells over chains or trees."""
    names = cells.names(structure)
    return "\n".join(f"- [`{name}`](#{name}): {cells.entry(name).title}" for name in names)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
