"""What `predict` shows of trees: colours on a terminal, SVG files, where a tree came from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cellwise.errors import ConfigError

if TYPE_CHECKING:
    from cellwise.tasks.base import Answer
    from cellwise.tasks.compose_answers import LabelledTree

FALLBACK = (
    "cellwise: sentences without brackets are read as trees that branch to the right; "
    "give trees in brackets for other ones"
)


class TreeOutput:
    """Shows the trees of answers; answers without any pass by.

    Args:
        svg: a file for the first tree, its name ending in .svg, others beside it with numbers; or
            a folder; or None.
        coloured: whether standard output is to show trees in colour.

    Raises:
        ConfigError: `svg` is the name of a file of another kind.
    """

    def __init__(self, svg: Path | None, *, coloured: bool):
        if svg is not None and not svg.is_dir() and svg.suffix.lower() not in ("", ".svg"):
            raise ConfigError(
                f"--svg {svg}: trees are drawn as SVG, in a file that ends in .svg or in a folder"
            )
        self._svg, self._coloured = svg, coloured
        self._n_answers, self._told = 0, False

    def show(self, answer: Answer) -> bool:
        """Draw an answer's tree, and tell whether it was also printed.

        Raises:
            ConfigError: SVG files are wanted, but the task answers without trees.
        """
        from cellwise.tasks.compose_answers import TreeAnswer

        if not isinstance(answer, TreeAnswer):
            if self._svg is not None:
                raise ConfigError("--svg draws trees, but this model answers without any")
            return False
        self._n_answers += 1
        if answer.labelled is None:
            return False
        if not answer.given and not self._told:
            print(FALLBACK, file=sys.stderr)
            self._told = True
        if self._svg is not None:
            self._draw(answer.labelled)
        return self._coloured and _print_tree(answer.labelled)

    def _draw(self, labelled: LabelledTree) -> None:
        from cellwise.explain.tree_svg import tree_svg

        assert self._svg is not None
        path = svg_path(self._svg, self._n_answers)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tree_svg(labelled), encoding="utf-8")


def svg_path(where: Path, number: int) -> Path:
    """Where the tree of that number goes, counted from 1.

    Example:
        >>> [str(svg_path(Path(name), 2)) for name in ("tree.svg", "trees")]
        ['tree-2.svg', 'trees/2.svg']
    """
    if where.suffix.lower() != ".svg" or where.is_dir():
        return where / f"{number}.svg"
    return where if number == 1 else where.with_stem(f"{where.stem}-{number}")


def _print_tree(labelled: LabelledTree) -> bool:
    """Print a tree in colour, if standard output is a terminal."""
    from rich.console import Console

    from cellwise.explain.tree_text import tree_lines

    console = Console(highlight=False)
    if not console.is_terminal:
        return False
    for line in tree_lines(labelled, console.width):
        console.print(line, soft_wrap=True)
    return True
