"""The checks of arguments that all layers share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from numbers import Real

import torch
from torch import Tensor, nn

from cellwise.cell import Cell, is_finite
from cellwise.cells import get
from cellwise.cells import names as zoo_names
from cellwise.errors import ConfigError, EquationError, ShapeError, nearest


def as_cell(cell: Cell | str) -> Cell:
    """The cell itself, or the one of this name in the zoo, or of this text.

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(cell, Cell):
        return cell
    if not isinstance(cell, str):
        raise ConfigError(f"cell must be a Cell, a zoo name or a text, not {type(cell).__name__}")
    if "=" in cell or not cell.strip():
        return Cell(cell)
    if cell not in zoo_names() and "\n" in cell:
        return Cell(cell)
    return get(cell)


def check_count(name: str, value: object) -> None:
    """A whole number of at least 1.

    Raises:
        ConfigError: it is none.
    """
    if type(value) is not int or value < 1:
        raise ConfigError(f"{name} must be a whole number of at least 1, not {value!r}")


def check_share(name: str, value: object) -> None:
    """A number of at least 0 and below 1.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < 1:
        raise ConfigError(f"{name} must be at least 0 and below 1, not {value!r}")


def check_options(*, dropout: object, dtype: object, sizes: object, constants: object) -> None:
    """What every layer can be told, before it is made.

    Raises:
        ConfigError: an option is of another kind.
    """
    check_share("dropout", dropout)
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise ConfigError(
            f"dtype must be a type of floating-point numbers, as torch.float32, not {dtype!r}"
        )
    for name, table in (("sizes", sizes), ("constants", constants)):
        if table is not None and not isinstance(table, Mapping):
            raise ConfigError(f"{name} must be a dictionary, not {table!r}")


def check_flag(name: str, value: object) -> None:
    """True or False.

    Raises:
        ConfigError: it is neither.
    """
    if value not in (True, False):
        raise ConfigError(f"{name} must be True or False, not {value!r}")


def check_backend(name: str, known: Collection[str]) -> None:
    """A back end's name, or `auto`.

    Raises:
        ConfigError: there is none of this name.
    """
    accepted = ["auto", *known]
    if name not in accepted:
        hint = nearest(str(name), accepted) or f"Accepted are {', '.join(accepted)}."
        raise ConfigError(f"unknown back end {name!r}. {hint}")


def check_constants(cell: Cell, constants: Mapping[str, float]) -> None:
    """Values for constants that the cell has.

    Raises:
        ConfigError: one is no number, or the cell has no such constant.
    """
    for name, number in constants.items():
        if isinstance(number, bool) or not is_finite(number):
            raise ConfigError(f"the constant '{name}' must be a number, not {number!r}")
        if name not in cell.constants:
            known = ", ".join(cell.constants) or "none"
            hint = nearest(name, cell.constants) or f"Its constants: {known}."
            raise ConfigError(f"the cell '{cell.name}' has no constant '{name}'. {hint}")


def as_weights_are(x: Tensor, layer: nn.Module) -> Tensor:
    """The input in the precision of a layer's parameters: under autocast it is turned into it.

    Raises:
        ShapeError: it is no tensor, or holds whole numbers or another precision.
    """
    if not isinstance(x, Tensor):
        raise ShapeError(f"x must be a tensor, but is a {type(x).__name__}")
    if not x.is_floating_point():
        raise ShapeError(f"x must hold floating-point numbers, but is {x.dtype}")
    weight = next(iter(layer._parameters.values()), None)  # sooner there than by the next line
    weight = next(layer.parameters(), None) if weight is None else weight
    if weight is None or x.dtype == weight.dtype:
        return x
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return x.to(weight.dtype)
    raise ShapeError(f"x is {x.dtype}, but the layer's parameters are {weight.dtype}")


def check_input(cell: Cell, index: str) -> None:
    """A layer feeds one input; every other name that is only read is one that nobody feeds.

    Raises:
        EquationError: the cell reads none, or several.
    """
    if not cell.inputs:
        raise EquationError(
            f"the cell '{cell.name}' reads no input",
            hint=f"Read one, such as x[{index}], in some line.",
        )
    if len(cell.inputs) == 1:
        return
    fed = "x" if "x" in cell.inputs else cell.inputs[0]
    name = next(n for n in cell.inputs if n != fed)
    node = next(node for (n, _), node in cell.system.reads().items() if n == name)
    known = [*cell.system.defined, fed]
    join = f"Define {name}[{index}] in a line, or join it to {fed}[{index}] outside."
    raise EquationError(
        f"nobody feeds '{name}': a layer feeds one input, '{fed}'",
        span=cell.system.spans.get(node),
        hint=nearest(name, known) or join,
    )
