"""A system of equations: what a cell, its derivative and every pass's result are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from cellwise.errors import Span
from cellwise.graph.dimension import Shape
from cellwise.graph.node import Node, walk

Structure = Literal["chain", "tree"]

SLOTS: tuple[str, ...] = ("left", "right", "up", "parent")
"""The indices that read one particular neighbour of a node: a child in a slot, or its parent."""

PREVIOUS: tuple[str, ...] = ("t-1", "t+1", "k", "p", *SLOTS)
"""The indices that read another step or node: what makes the name a state."""


@dataclass(frozen=True)
class Equation:
    """`name[index] = value`; the index is empty for what does not vary over the steps.

    `comment` is the line's description and `span` its place in the text; neither is part of
    equality.
    """

    name: str
    index: str
    value: Node
    comment: str = field(default="", compare=False)
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class System:
    """Equations over a chain or a tree, with what they leave open.

    Attributes:
        equations: of one step (or node), in the order in which they are evaluated.
        output: the name whose values are the result.
        totals: equations without an index, over all steps: gradients of parameters.
        leaf: the equations of a tree's leaves, where they differ.
        initial: for a state, the parameter that it starts from (`h[0] = h_0`); others start from
            zeros.
        constants: the values of the named constants.
        given: signals of another sweep that this one reads and does not define (the forward's, for
            the backward); they can be read at `t-1` too.
        spans: for a node, where in the text it stands; not part of equality.
    """

    equations: tuple[Equation, ...]
    output: str
    totals: tuple[Equation, ...] = ()
    leaf: tuple[Equation, ...] = ()
    initial: tuple[tuple[str, Node], ...] = ()
    constants: tuple[tuple[str, float], ...] = ()
    given: tuple[str, ...] = ()
    spans: Mapping[Node, Span] = field(default_factory=dict, compare=False, repr=False)

    def __hash__(self) -> int:
        return hash((self.equations, self.output, self.totals, self.leaf, self.initial))

    def lines(self) -> Iterator[Equation]:
        """All equations: leaves, steps, totals."""
        yield from self.leaf
        yield from self.equations
        yield from self.totals

    def roots(self) -> list[Node]:
        """The values of all equations, and the initial parameters."""
        return [line.value for line in self.lines()] + [node for _, node in self.initial]

    def reads(self) -> Mapping[tuple[str, str], Node]:
        """Every read, by (name, index), in the order of first use."""
        return self._reads

    @cached_property
    def _reads(self) -> Mapping[tuple[str, str], Node]:
        found: dict[tuple[str, str], Node] = {}
        for node in walk(self.roots()):
            if node.operation == "read":
                found.setdefault((str(node.attributes[0]), str(node.attributes[1])), node)
        return found

    @cached_property
    def defined(self) -> tuple[str, ...]:
        """The names that a step defines, in order."""
        return tuple(dict.fromkeys(e.name for e in (*self.equations, *self.leaf)))

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The names that carry over from one step to the next: the output first, then in order."""
        carried = {name for (name, index) in self.reads() if index in PREVIOUS} | self._sent_down
        names = [name for name in self.defined if name in carried]
        return tuple(sorted(names, key=lambda name: name != self.output))

    @cached_property
    def _sent_down(self) -> set[str]:
        """The names that a node reads of its parents."""
        sums = [n for n in walk(self.roots()) if n.operation == "sum_parents"]
        inner = walk([node.arguments[0] for node in sums])
        reads = (n for n in inner if n.operation == "read")
        return {str(n.attributes[0]) for n in reads if n.attributes[1] != "k"}

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names that are read and neither defined nor given, in order of first use."""
        known = {*self.defined, *self.given, *(line.name for line in self.totals)}
        return tuple(dict.fromkeys(name for name, _ in self.reads() if name not in known))

    @cached_property
    def parameters(self) -> dict[str, Shape]:
        """The learned arrays and their shapes, in order of first use."""
        found: dict[str, Shape] = {}
        for node in walk(self.roots()):
            if node.operation in ("parameter", "labelled"):
                found.setdefault(str(node.attributes[0]), node.shape)
        return found

    @cached_property
    def labels(self) -> dict[str, str]:
        """The parameters that an edge's label chooses, with what the label is called."""
        found = (n.attributes for n in walk(self.roots()) if n.operation == "labelled")
        return {str(name): str(label) for name, label, _ in found}

    @cached_property
    def structure(self) -> Structure:
        """Whether the equations are over steps `[t]` or over nodes `[n]`."""
        nodes = any(e.index in ("n", "n,k", "leaf") for e in self.equations + self.leaf)
        return "tree" if nodes else "chain"

    @cached_property
    def reverse(self) -> bool:
        """Whether the steps run from the last to the first: something is read at `[t+1]`."""
        return any(index == "t+1" for _, index in self.reads())

    def shape_of(self, name: str) -> Shape:
        """The shape of a signal: defined, given or input.

        Raises:
            KeyError: no signal has this name.
        """
        for line in (*self.equations, *self.leaf):
            if line.name == name:
                return line.value.shape
        for (read_name, _), node in self.reads().items():
            if read_name == name:
                return node.shape
        raise KeyError(name)
