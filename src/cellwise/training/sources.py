"""What a configuration refers to: cells of the zoo or in files, data files, recipes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, get_args

from cellwise import cells
from cellwise.cell import Cell
from cellwise.errors import ConfigError, nearest
from cellwise.tasks.base import Part, Section

PARTS = get_args(Part)
"""The keys of a data table that name files of examples."""

FILES = (
    *PARTS,
    *(f"target_{part}" for part in PARTS),
    "vectors",
    "images",
    "features",
    "feature_names",
    "encoder_weights",
)
"""The keys whose values are paths."""


def recipe_names() -> list[str]:
    """The names of the recipes that come with Cellwise."""
    folder = resources.files("cellwise") / "recipes"
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def is_folder(where: str, *marks: str) -> bool:
    """Whether a folder is meant: with the name of a recipe only one that holds such a file."""
    path = Path(where)
    if not exists(path) or not path.is_dir():
        return False
    return where not in recipe_names() or any(exists(path / mark) for mark in marks)


def recipe_text(name: str) -> str:
    """The TOML text of a recipe.

    Raises:
        ConfigError: there is no such recipe.
    """
    if name not in recipe_names():
        hint = nearest(name, recipe_names()) or f"Recipes: {', '.join(recipe_names())}."
        raise ConfigError(f"no configuration file and no recipe is called '{name}'. {hint}")
    return (resources.files("cellwise") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")


def settle(table: Any, base: Path | None) -> Any:
    """The table with its paths made absolute and its cells' files read in.

    Args:
        table: what stands below a [section].
        base: the folder that relative paths start from; None leaves paths as they are.
    """
    if not isinstance(table, dict):
        return table
    return {key: _settled(key, value, base) for key, value in table.items()}


def present_defaults(kind: type[Section], base: Path) -> dict[str, str]:
    """The default data files of a section, such as train.tsv, that are in the folder `base`."""
    names = {key: kind.model_fields[key].default for key in PARTS if key in kind.model_fields}
    return {key: name for key, name in names.items() if name and (base / name).is_file()}


def _settled(key: str, value: Any, base: Path | None) -> Any:
    if not isinstance(value, str):
        return value
    if is_cell(key):
        return cell_source(value, base or Path.cwd())
    if key in FILES and value and base is not None:
        return str(absolute(value, base))
    return value


def refers(key: str) -> bool:
    """Whether a field of this name may name a file: of data, or of a cell's equations."""
    return is_cell(key) or key in FILES


def is_cell(key: str) -> bool:
    """Whether a field of this name holds a cell: `cell`, `encoder_cell`."""
    return key == "cell" or key.endswith("_cell")


def cell_source(value: str, base: Path) -> str:
    """A zoo name, or equations: from a zoo name, a path (from the folder `base`), or equations.

    Equations that are a zoo cell's, as in the configuration that a run saves, become its name
    again, so that a model built anew starts from that cell's own initial weights.

    Raises:
        ConfigError: there is neither a cell nor a file of this name.
        EquationError: the equations are wrong.
    """
    if "=" not in value and "\n" not in value:
        if value in cells.names():
            return value
        value = _read_cell(value, base)
    text = str(Cell(value)).strip()
    return next((name for name in cells.names() if str(cells.get(name)).strip() == text), value)


def cell_equations(source: str) -> str:
    """The equations in full of what `cell_source` gave."""
    return f"{str(cells.get(source)).strip()}\n" if source in cells.names() else source


def exists(path: Path) -> bool:
    """Whether there is something at `path`; False for what no name can be, such as a long one."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def absolute(value: str, base: Path) -> Path:
    """The path that a text names, from the folder `base`, without links; `~` is the home folder.

    Raises:
        ConfigError: no path can be so.
    """
    path = base / _at_home(value)
    try:
        return path.resolve()
    except RuntimeError:  # links in a circle: whoever reads the file will say so
        return path.absolute()
    except ValueError as error:
        raise ConfigError(f"{value!r} can be no path: {error}") from error


def _at_home(value: str) -> Path:
    """A path, `~name` being somebody's home folder, if there is somebody of that name."""
    try:
        return Path(value).expanduser()
    except RuntimeError:
        return Path(value)


def _read_cell(value: str, base: Path) -> str:
    path = base / _at_home(value)
    if not exists(path) or not path.is_file():
        hint = nearest(value, cells.names()) or "`cellwise cells` lists the cells."
        raise ConfigError(f"'{value}' is no cell of the zoo, and there is no file {path}. {hint}")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from error
