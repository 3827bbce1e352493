"""Kernels of cells, not compiled: what was decided for them, and their code for any target."""

from __future__ import annotations

from functools import lru_cache

from cellwise import cells
from cellwise.backends.base import Bound, Direction
from cellwise.backends.cpu.kernel import Emission
from cellwise.backends.cpu.layout import lay_out
from cellwise.backends.cpu.machine import assembly
from cellwise.backends.cpu.stage_kernel import stage_kernels
from cellwise.backends.cpu.target import Precision, target
from cellwise.graph.node import walk
from cellwise.passes.normal import normalise
from cellwise.passes.pipeline import Compiled, compile_system
from cellwise.passes.stages import Elements, stages

DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")


@lru_cache
def programs(name: str) -> Compiled:
    """The programs of a cell of the zoo."""
    return compile_system(cells.get(name).system)


def bound(name: str, numbers: tuple[int, ...]) -> Bound:
    """A cell of the zoo with numbers for its sizes, in order of first use."""
    system = cells.get(name).system
    shapes = [node.shape for node in walk(system.roots())]
    names = dict.fromkeys(n for shape in shapes for size in shape for n in size.names())
    sizes = {n: numbers[place % len(numbers)] for place, n in enumerate(names)}
    constants = tuple(sorted(dict(system.constants).items()))
    return Bound(programs(name), tuple(sorted(sizes.items())), constants, "cpu")


def kept(compiled: Compiled, direction: Direction) -> tuple[str, ...]:
    """What a fold asks a sweep to keep."""
    system = compiled.forward.system
    if direction == "forward":
        return tuple(dict.fromkeys([system.output, *compiled.saved]))
    return tuple(compiled.names[name] for name in system.inputs)


def kernel_of(
    name: str,
    direction: Direction,
    numbers: tuple[int, ...],
    on: str = "avx2",
    precision: Precision = "f32",
) -> Emission:
    """The kernel of a cell for a target, which need not be this machine's."""
    cell = bound(name, numbers)
    sizes, keep = dict(cell.sizes), kept(cell.compiled, direction)
    normal = normalise(cell.program(direction), sizes)
    layout = lay_out(normal, stages(normal, sizes, keep), Elements(sizes), keep)
    kernels = stage_kernels(layout, target(on), precision)
    return Emission(layout, kernels, dict(cell.constants), target(on), precision)


def listing(
    name: str, direction: Direction, numbers: tuple[int, ...], on: str, precision: Precision
) -> tuple[str, str]:
    """The optimised IR and the assembly of a cell's kernel."""
    return assembly(kernel_of(name, direction, numbers, on, precision).text(), target(on))
