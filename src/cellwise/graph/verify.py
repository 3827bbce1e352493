"""Whether a system is well-formed: what every pass must keep."""

from __future__ import annotations

from collections.abc import Iterator

from cellwise.errors import CellwiseError
from cellwise.graph.build import build
from cellwise.graph.dimension import Shape
from cellwise.graph.node import Node, walk
from cellwise.graph.places import indices
from cellwise.graph.system import PREVIOUS, Equation, System

OVER_STEPS = ("total", "first", "total_labelled")


class IllFormedError(CellwiseError):
    """A system that no driver or pass may produce: an error of ours, not of the user."""


def verify(system: System) -> None:
    """Check that the equations can be evaluated in their order.

    Raises:
        IllFormedError: a name is defined twice or read before its definition, a shape or an index
            does not fit, a constant has no value, or a sum over steps stands within a step.
    """
    for cause in _causes(system):
        raise IllFormedError(cause)


def _causes(system: System) -> Iterator[str]:
    yield from _repeated(system)
    yield from _shapes(system)
    yield from _order(system.equations)
    yield from _order(system.leaf)
    yield from _indices(system)
    yield from _leaves(system)
    if system.output not in system.defined:
        yield f"the output '{system.output}' is not defined"


def _repeated(system: System) -> Iterator[str]:
    for lines in (system.equations + system.totals, system.leaf + system.totals):
        seen: set[str] = set()
        for line in lines:
            if line.name in seen:
                yield f"'{line.name}' is defined twice"
            seen.add(line.name)
    for name in system.given:
        if name in system.defined:
            yield f"'{name}' is given and defined"


def _shapes(system: System) -> Iterator[str]:
    shapes: dict[str, Shape] = {}
    for line in (*system.leaf, *system.equations):
        if shapes.setdefault(line.name, line.value.shape) != line.value.shape:
            yield f"'{line.name}' is defined with two shapes"
    for node in walk(system.roots()):
        if node.operation in ("read", "parameter"):
            name = str(node.attributes[0])
            if shapes.setdefault(name, node.shape) != node.shape:
                yield f"'{name}' has two shapes: {_text(shapes[name])} and {_text(node.shape)}"
        elif build(node.operation, *node.arguments, attributes=node.attributes) is not node:
            yield f"a node of '{node.operation}' does not have the shape of its arguments"
    for state, node in system.initial:
        if shapes.get(state) != node.shape:
            yield f"'{state}' starts from a parameter of another shape"


def _text(shape: Shape) -> str:
    return "[" + ", ".join(str(size) for size in shape) + "]"


def _order(lines: tuple[Equation, ...]) -> Iterator[str]:
    later = {line.name for line in lines}
    for line in lines:
        for node in _reads_here(line.value):
            if node.attributes[0] in later:
                yield f"'{line.name}' reads '{node.attributes[0]}' before its definition"
        later.discard(line.name)


def _reads_here(value: Node) -> Iterator[Node]:
    """The reads of what the same step or node defines; parents are done before the node."""
    seen, stack = {(value, False)}, [(value, False)]
    while stack:
        node, upward = stack.pop()
        if node.operation == "read" and (
            node.attributes[1] == "k" if upward else node.attributes[1] not in PREVIOUS
        ):
            yield node
        within = {(a, upward or node.operation == "sum_parents") for a in node.arguments}
        stack += within - seen
        seen |= within


def _indices(system: System) -> Iterator[str]:
    known = {*system.defined, *system.given}
    for (name, index), node in system.reads().items():
        if index in ("t-1", "t+1") and name not in known:
            yield f"'{name}' is read at [{index}] but neither defined nor given"
        if name in system.parameters:
            yield f"'{name}' is a signal and a parameter"
        if not node.varies:
            yield f"the read of '{name}' does not vary over the steps"
    leaves = {i for line in system.leaf for i in indices(line.value)}
    if not leaves <= {"leaf", "parent", "over"}:
        yield "a leaf's line reads at what no leaf has"
    carried = {i for name, i in system.reads() if i in ("t-1", "t+1") and name in system.defined}
    if len(carried) > 1:
        yield "states are read at [t-1] and at [t+1]"


def _leaves(system: System) -> Iterator[str]:
    constants = dict(system.constants)
    for node in walk(system.roots()):
        if node.operation == "constant" and node.attributes[0] not in constants:
            yield f"the constant '{node.attributes[0]}' has no value"
    for line in (*system.equations, *system.leaf):
        if any(node.operation in OVER_STEPS for node in walk([line.value])):
            yield f"'{line.name}' holds a sum over all steps within a step"
    for line in system.totals:
        if line.value.varies:
            yield f"the total '{line.name}' varies over the steps"
