"""The programs of a cell over nodes, compiled: the leaves' and that of the levels."""

from __future__ import annotations

from functools import lru_cache

from cellwise.backends.base import Direction, NodesBound
from cellwise.backends.cpu.compiled import Compiled, compiled
from cellwise.backends.cpu.frames import neighbours
from cellwise.backends.cpu.normal_form import RowsBound, parts
from cellwise.backends.cpu.sum_calls import plans
from cellwise.backends.cpu.target import Precision, Target


class Part:
    """One program of a sweep.

    Attributes:
        code: compiled.
        leaf: whether it is the leaves'.
        defined: the names of its equations.
        made: those of them that have arrays over all rows.
        neighbours: the signals that are read at neighbours, which may not be there.
        widest: how many numbers a row has, at most.
    """

    def __init__(self, code: Compiled, *, leaf: bool):
        self.code, self.leaf = code, leaf
        self.defined = frozenset(code.program.system.defined)
        self.made = [name for name in code.layout.kept if name in self.defined]
        factors = [f for plan in plans(code) for f in (plan.first, *plan.others)]
        self.neighbours = list(neighbours(code))
        self.neighbours += [factor.name for factor in factors if factor.index]
        outside = [numbers[-1] for numbers in code.outside.values() if numbers]
        self.widest = max([1, *code.layout.sizes.values(), *outside])


class Whole:
    """Both programs, and what is the same in every sweep.

    Attributes:
        bound: the cell.
        backward: whether this is its derivative.
        keep: the signals to give back.
        parts: in the order in which they run.
        outside: the shapes of what comes from outside, and whether only leaves read it.
        widest: how many numbers a row has, at most.
    """

    def __init__(self, bound: NodesBound, direction: Direction, keep: tuple[str, ...]):
        self.bound, self.backward, self.keep = bound, direction == "backward", keep
        self.labels = bound.compiled.forward.labels
        self.parts: list[Part] = []
        self.outside: dict[str, tuple[tuple[int, ...], bool]] = {}
        self.widest = 1

    def add(self, part: Part) -> None:
        """Another program."""
        self.parts.insert(0 if self.backward else len(self.parts), part)
        for name, shape in part.code.outside.items():
            _, only_leaves = self.outside.get(name, (shape, True))
            self.outside[name] = shape, only_leaves and part.leaf
        self.widest = max(self.widest, part.widest)

    def gaps(self, name: str) -> list[bool]:
        """Of whose rows nothing computes a signal: leaves' (True), those of the levels (False)."""
        return [part.leaf for part in self.parts if name not in part.defined]

    def shape(self, name: str) -> list[int]:
        """The shape of a row."""
        system = self.bound.compiled
        sizes = dict(self.bound.sizes)
        found = (system.backward if self.backward else system.forward).shape_of(name)
        return [size.evaluate(sizes) for size in found]


@lru_cache(maxsize=512)
def programs(
    bound: NodesBound,
    direction: Direction,
    keep: tuple[str, ...],
    precision: Precision,
    target: Target,
) -> Whole:
    """The programs of a sweep, compiled; kept for the next one."""
    main, leaf = parts(bound)
    whole = Whole(bound, direction, keep)
    sent = _sent(main, leaf, direction) if leaf else []
    for part in (leaf, main):
        if part is not None:
            defined = part.program(direction).system.defined
            wanted = dict.fromkeys(name for name in (*keep, *sent) if name in defined)
            code = compiled(part, direction, tuple(wanted), precision, target)
            whole.add(Part(code, leaf=part is leaf))
    return whole


def _sent(main: RowsBound, leaf: RowsBound, direction: Direction) -> list[str]:
    """What leaves may read of levels, and levels of leaves that are their children."""
    reads = main.program(direction).system.reads()
    return [*leaf.program(direction).system.given, *(n for n, index in reads if index != "t")]
