"""A cell: the equations of one step of a network, read from text, and what is derived from them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Real
from types import MappingProxyType
from typing import TypeGuard, TypeVar

from cellwise.equation import canonical, read_system, show
from cellwise.errors import ConfigError, EquationError, StructureError, nearest
from cellwise.graph.dimension import Shape
from cellwise.graph.system import System
from cellwise.passes.tidy import readable_backward, readable_tangent
from cellwise.passes.zone_out import zone_out

Value = TypeVar("Value")

_NUMBER = r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*"
_INIT_FORM = re.compile(
    rf"(?:orthogonal|glorot|zeros|ones|uniform\({_NUMBER},{_NUMBER}\)|normal\({_NUMBER}\))"
)
_INIT_WORDS = ("orthogonal", "glorot", "zeros", "ones", "uniform", "normal")


class Cell:
    """The equations of a recurrent or recursive network.

    Args:
        text: the equations, one a line.
        name: what the cell is called.
        init: initial values of parameters by name: `orthogonal`, `glorot`, `zeros`, `ones`,
            `uniform(-0.1, 0.1)`, `normal(0.02)` (the standard deviation) or a number; the others
            get the layer's defaults.

    Raises:
        EquationError: the text is no set of equations, or `init` names no parameter or form.
        ShapeError: the dimensions contradict each other.

    Example:
        >>> cell = Cell("h[t] = tanh(U @ x[t] + W @ h[t-1] + b)", name="elman")
        >>> cell.inputs, cell.states, list(cell.parameters)
        (('x',), ('h',), ['U', 'W', 'b'])
        >>> print(cell.unicode())
        hₜ = tanh(U xₜ + W hₜ₋₁ + b)
    """

    system: System
    name: str
    init: Mapping[str, str | float]

    def __init__(
        self, text: str, name: str = "cell", *, init: Mapping[str, str | float] | None = None
    ):
        if not isinstance(text, str):
            raise EquationError(f"a cell is made of a text of equations, not of {_kind(text)}")
        if init is not None and not isinstance(init, Mapping):
            raise EquationError(f"init must be a dictionary, not {_kind(init)}")
        self.system, self.name = read_system(text), name
        given = by_name(init or {})
        for parameter, form in given.items():
            _check_init(parameter, form, self.system)
        stripped = {n: f.strip() if isinstance(f, str) else f for n, f in given.items()}
        self.init = MappingProxyType(stripped)

    @classmethod
    def from_system(cls, system: System, name: str = "cell") -> Cell:
        """The cell of a system that was made otherwise, its sizes named as a text's would be."""
        cell = cls.__new__(cls)
        cell.system, cell.name, cell.init = canonical(system), name, MappingProxyType({})
        return cell

    @property
    def inputs(self) -> tuple[str, ...]:
        """The signals that no line defines, in order of first use."""
        return self.system.inputs

    @property
    def states(self) -> tuple[str, ...]:
        """The signals that carry over to the next step, the output first."""
        return self.system.states

    @property
    def output(self) -> str:
        """The signal that is the result: what the last line defines."""
        return self.system.output

    @property
    def parameters(self) -> dict[str, Shape]:
        """The learned arrays with their shapes in named sizes."""
        return self.system.parameters

    @property
    def constants(self) -> dict[str, float]:
        """The named numbers, which a layer can override."""
        return dict(self.system.constants)

    def __str__(self) -> str:
        return show(self.system)

    def unicode(self) -> str:
        """The equations as on a slide: `hₜ = tanh(U xₜ + W hₜ₋₁ + b)`; can be read back."""
        return show(self.system, "unicode")

    def latex(self) -> str:
        """The equations as a LaTeX `aligned` block."""
        return show(self.system, "latex")

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def __repr__(self) -> str:
        return f"Cell({str(self)!r}, name={self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cell) and self.system == other.system

    def __hash__(self) -> int:
        return hash(self.system)

    def __reduce__(self) -> tuple[Callable[..., Cell], tuple[str, str]]:
        return partial(Cell, init=dict(self.init)), (str(self), self.name)

    def zoneout(self, rates: Mapping[str, float]) -> Cell:
        """This cell, whose states stay as they were with the probabilities `rates`, on average.

        Source: Krueger et al. 2017 (arXiv:1606.01305). A layer that is trained draws masks:
        `Recurrent(cell, …, zoneout=0.1)`.

        Raises:
            StructureError: the cell is over trees.
            ConfigError: it has no such state, or a rate is none.

        Example:
            >>> print(Cell("h[t] = tanh(U @ x[t] + W @ h[t-1])").zoneout({"h": 0.1}))
            zoneout_h = 0.1
            new_h[t] = tanh(U @ x[t] + W @ h[t-1])
            h[t] = zoneout_h * h[t-1] + (1 - zoneout_h) * new_h[t]  # zoneout
        """
        check_rates(self, rates)
        zoned = Cell.from_system(zone_out(self.system, rates), self.name)
        zoned.init = self.init
        return zoned

    def backward(self) -> Cell:
        """The back-propagation of this cell through time or structure, as equations.

        Raises:
            StructureError: the cell is derived itself.
        """
        derived = readable_backward(self.system)
        if self.system.given:
            raise StructureError(
                f"'{self.name}' is derived itself: the signals that it is given depend on the "
                "parameters, too, which its own equations do not say"
            )
        return Cell.from_system(derived, f"{self.name}.backward")

    def forward_mode(self) -> Cell:
        """The tangents of this cell (its directional derivative), as equations."""
        return Cell.from_system(readable_tangent(self.system), f"{self.name}.forward_mode")


def _check_init(parameter: str, form: str | float, system: System) -> None:
    """An initial value is for a parameter, and of a known form."""
    if parameter not in system.parameters:
        hint = nearest(parameter, system.parameters)
        raise EquationError(f"init names '{parameter}', but no parameter has this name", hint=hint)
    if not isinstance(form, str) and (isinstance(form, bool) or not is_finite(form)):
        raise EquationError(f"init of '{parameter}' must be a word or a number, not {form!r}")
    matrix = len(system.parameters[parameter]) == 2
    if isinstance(form, str) and form.strip() == "orthogonal" and not matrix:
        raise EquationError(f"init of '{parameter}': only a matrix can be orthogonal")
    if isinstance(form, str) and not _INIT_FORM.fullmatch(form.strip()):
        near = nearest(form.split("(")[0].strip(), _INIT_WORDS)
        raise EquationError(
            f"init of '{parameter}': unknown form '{form}'",
            hint=f"Known are orthogonal, glorot, zeros, ones, uniform(low, high), normal(deviation)"
            f" and a number. {near}".strip(),
        )
    if isinstance(form, str):
        _check_numbers(parameter, form)


def _check_numbers(parameter: str, form: str) -> None:
    """The numbers of a form can be drawn by."""
    numbers = [float(text) for text in re.findall(_NUMBER, form.partition("(")[2])]
    if not all(map(math.isfinite, numbers)):
        raise EquationError(f"init of '{parameter}': a number of '{form}' is too large")
    if form.strip().startswith("uniform") and numbers[0] > numbers[1]:
        raise EquationError(f"init of '{parameter}': in '{form}' the low end is above the high one")
    if form.strip().startswith("normal") and numbers[0] < 0:
        raise EquationError(f"init of '{parameter}': the deviation of '{form}' is below 0")


def check_rates(cell: Cell, rates: Mapping[str, float]) -> None:
    """How probable it is that states of a cell stay as they were.

    Raises:
        StructureError: the cell is over trees.
        ConfigError: it has no such state, or a rate is none.
    """
    if cell.system.structure == "tree":
        raise StructureError(
            f"the cell '{cell.name}' is over trees, where no state stays from step to step"
        )
    for state, rate in rates.items():
        if state not in cell.states:
            hint = nearest(state, cell.states) or f"Its states: {', '.join(cell.states) or 'none'}."
            raise ConfigError(f"the cell '{cell.name}' has no state '{state}'. {hint}")
        if isinstance(rate, bool) or not is_finite(rate) or not 0 <= rate < 1:
            raise ConfigError(f"zoneout of '{state}' must be at least 0 and below 1, not {rate!r}")


def by_name(table: Mapping[str, Value]) -> dict[str, Value]:
    """A table whose keys are names as equations have them: one form of each letter (NFC)."""
    return {unicodedata.normalize("NFC", str(name)): value for name, value in table.items()}


def is_finite(value: object) -> TypeGuard[float]:
    """Whether something is a number that a float can hold."""
    try:
        return isinstance(value, Real) and math.isfinite(value)
    except OverflowError:
        return False


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
