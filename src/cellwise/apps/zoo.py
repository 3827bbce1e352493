"""`cellwise cells`: the zoo, and a cell's equations and derivatives in print."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellwise.errors import ConfigError, nearest

if TYPE_CHECKING:
    from cellwise.cell import Cell


def cells(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME | FILE]", help="A cell of the zoo, or a file of equations."),
    ] = None,
    *,
    backward: Annotated[
        bool, typer.Option("--backward", help="Its back-propagation through time, as equations.")
    ] = False,
    forward_mode: Annotated[
        bool, typer.Option("--forward-mode", help="Its tangent, as equations.")
    ] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    unicode: Annotated[bool, typer.Option("--unicode", help="Print as on the blackboard.")] = False,
    input_size: Annotated[int, typer.Option(min=1, help="To count parameters with.")] = 100,
    hidden_size: Annotated[int, typer.Option(min=1, help="To count parameters with.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the cells of the zoo, or print one.

    \b
    Examples:
      cellwise cells
      cellwise cells lstm --backward --unicode
      cellwise cells mycell.txt --latex
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    sizes = (input_size, hidden_size)
    if name is None:
        print(_listing(*sizes, as_json=as_json))
        return
    cell, about = find_cell(name)
    parts = [cell]
    if backward or forward_mode:
        parts = [cell.backward()] * backward + [cell.forward_mode()] * forward_mode
    style = "latex" if latex else "unicode" if unicode else "text"
    texts = [_text(part, style) for part in parts]
    if as_json:
        print(json.dumps({**about, **_facts(cell, *sizes), "equations": texts}, ensure_ascii=False))
    else:
        print("\n\n".join(texts))


def parameter_count(cell: Cell, input_size: int, hidden_size: int) -> int:
    """How many numbers a cell learns when its input and all its other signals have these sizes.

    What an edge's label chooses is counted once.
    """
    names = {n for shape in cell.parameters.values() for dim in shape for n in dim.names()}
    sizes = {n: input_size if n in cell.inputs else hidden_size for n in names}
    return sum(prod(d.evaluate(sizes) for d in shape) for shape in cell.parameters.values())


def _listing(input_size: int, hidden_size: int, *, as_json: bool) -> str:
    from cellwise import cells as zoo

    rows = []
    for name in zoo.names():
        entry = zoo.entry(name)
        facts = {"name": name, "title": entry.title, "source": entry.source}
        rows.append({**facts, **_facts(entry.cell, input_size, hidden_size)})
    if as_json:
        return json.dumps(rows, ensure_ascii=False, indent=1)
    width = max(len(row["name"]) for row in rows)
    lines = [f"{r['name']:<{width}}  {r['n_parameters']:>9,}  {r['title']}" for r in rows]
    sizes = f"Parameters are counted for input_size={input_size}, hidden_size={hidden_size}"
    sizes += ", labelled ones for one label."
    hint = "Those over trees stand last. `cellwise cells NAME` prints a cell's equations."
    return "\n".join([*lines, "", sizes, hint])


def _facts(cell: Cell, input_size: int, hidden_size: int) -> dict[str, Any]:
    return {
        "structure": cell.system.structure,
        "inputs": list(cell.inputs),
        "states": list(cell.states),
        "parameters": {name: [str(d) for d in shape] for name, shape in cell.parameters.items()},
        "constants": dict(cell.constants),
        "output": cell.output,
        "n_parameters": parameter_count(cell, input_size, hidden_size),
    }


def find_cell(name: str) -> tuple[Cell, Mapping[str, str]]:
    """A cell of the zoo or of a file of equations, and what is known of it.

    Raises:
        ConfigError: there is neither, or the file cannot be read.
    """
    from cellwise import cells as zoo
    from cellwise.cell import Cell

    if name in zoo.names():
        entry = zoo.entry(name)
        return entry.cell, {"name": name, "title": entry.title, "source": entry.source}
    path = Path(name)
    if not _is_file(path):
        hint = nearest(name, zoo.names()) or "`cellwise cells` lists them."
        raise ConfigError(f"there is no cell and no file called '{name}'. {hint}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from error
    return Cell(text, name=path.stem), {"name": path.stem}


def _is_file(path: Path) -> bool:
    """Whether there is such a file; a name too long for one is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _text(cell: Cell, style: str) -> str:
    if style == "latex":
        return cell.latex()
    return cell.unicode() if style == "unicode" else str(cell)
