"""`cellwise init`, `cellwise recipes` and `cellwise version`: what a newcomer looks at first."""

from __future__ import annotations

import tomllib
from importlib import metadata
from itertools import takewhile
from typing import Annotated

import typer


def init(
    name: Annotated[
        str, typer.Argument(metavar="TASK | RECIPE", help="Such as transduce, or pronounce.")
    ],
) -> None:
    """Print a complete configuration with a comment on every key: a recipe's, or a task's defaults.

    \b
    Examples:
      cellwise init pronounce > my.toml
      cellwise init transduce > my.toml
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    from cellwise.training.writing import starting_config, write_config

    print(write_config(starting_config(name), equations=False), end="")


def recipes() -> None:
    """List the recipes: complete configurations that come with Cellwise.

    \b
    Example:
      cellwise recipes
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    from cellwise.training.sources import recipe_names, recipe_text

    width = max(map(len, recipe_names()), default=0)
    for name in recipe_names():
        text = recipe_text(name)
        print(f"{name:<{width}}  {_about(text)}")


def _about(recipe: str) -> str:
    """The first sentence of the comment that a recipe begins with; else its task."""
    lines = recipe.lstrip().splitlines()
    comment = " ".join(line.lstrip("# ") for line in takewhile(lambda one: one[:1] == "#", lines))
    sentence = comment.split(". ")[0].rstrip(".")
    return sentence or str(tomllib.loads(recipe)["task"])


def version() -> None:
    """Print the version of Cellwise and of what it runs on.

    \b
    Example:
      cellwise version
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    for package in ("cellwise", "torch", "numpy", "llvmlite"):
        print(package, metadata.version(package))
