"""Normal form: what a kernel can compute in place, and names for what it must finish first.

A kernel computes element by element. What looks at a whole vector (a product's operand, a sum over
a vector) gets a line of its own, so that it can be finished before it is read; `softmax`, `norm`
and the like become sums and elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from cellwise.autodiff.derivative import names_of
from cellwise.errors import BackendError
from cellwise.graph.build import add, build, div, mul, neg, number, read, remake, sub
from cellwise.graph.dimension import Dim
from cellwise.graph.node import Node, walk
from cellwise.graph.operations import EPSILON, OPERATIONS
from cellwise.passes.program import Program
from cellwise.passes.sections import CARRIED, Section, names_read

REDUCTIONS = ("sum", "largest")
"""What is left of the operations that make a scalar of a vector."""

_PLACED = ("part", "concat", "broadcast", "gathered", "kron")
"""What is not element by element, but finds each element in its place."""


class RefusedError(BackendError):
    """The program has no normal form; the message says what it holds that has none."""


@dataclass(frozen=True)
class Total:
    """A sum over all rows.

    Attributes:
        node: what the closing expressions call it.
        kind: of the outer product of two signals (for each label: `labelled`), of the product of
            two, or of one.
        operands: the signals read.
    """

    node: Node
    kind: Literal["outer", "labelled", "product", "rows"]
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Normal:
    """A program in normal form.

    Attributes:
        sections: by section, the name and value of each line, in order.
        totals: the sums over all rows that the program's totals are made of.
        states: the names that carry over, as the program has them.
        across: names that other rows read from memory: what carries over where rows are nodes.
        reverse: whether the steps run from the last to the first.
        within: summed signals that are stretches of a joined one that is summed, too: which, and
            at which of its numbers they begin. Sums read them there.
    """

    sections: Mapping[Section, tuple[tuple[str, Node], ...]]
    totals: tuple[Total, ...]
    states: tuple[str, ...]
    reverse: bool
    across: tuple[str, ...] = ()
    within: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def summed(self) -> set[str]:
        """The names of the signals that sums read."""
        names = (str(n.attributes[0]) for total in self.totals for n in total.operands)
        return {self.within.get(name, (name, 0))[0] for name in names}


def normalise(program: Program, sizes: Mapping[str, int]) -> Normal:
    """The normal form of a program whose dimensions are known.

    Raises:
        RefusedError: it holds matrices that vary.
    """
    return _Normaliser(program, sizes).run()


def _centred(v: Node, args: tuple[Node, ...], sizes: Mapping[str, int]) -> Node:
    return sub(args[0], _mean(v, args, sizes))


def _mean(v: Node, args: tuple[Node, ...], sizes: Mapping[str, int]) -> Node:
    count = v.arguments[0].shape[0].evaluate(sizes)
    return mul(build("sum", args[0]), number(1 / count))


def _inverse_std(v: Node, args: tuple[Node, ...], sizes: Mapping[str, int]) -> Node:
    centred = _centred(v, args, sizes)
    variance = _mean(v, (mul(centred, centred),), sizes)
    return div(number(1), build("sqrt", add(variance, number(EPSILON))))


def _norm(v: Node, args: tuple[Node, ...], sizes: Mapping[str, int]) -> Node:
    return mul(_centred(v, args, sizes), _inverse_std(v, args, sizes))


def _softmax(_: Node, args: tuple[Node, ...], __: Mapping[str, int]) -> Node:
    raised = build("exp", sub(args[0], build("largest", args[0])))
    return div(raised, build("sum", raised))


def _is_largest(_: Node, args: tuple[Node, ...], __: Mapping[str, int]) -> Node:
    # Compared, not subtracted: a difference may be taken along with a product in it, and keep what
    # rounding the product lost. `greater` is 1/2 for equals; nothing is greater than the largest.
    hit = build("greater", args[0], build("largest", args[0]))
    return div(hit, build("sum", hit))


_EXPANDED: dict[str, Callable[[Node, tuple[Node, ...], Mapping[str, int]], Node]] = {
    "mean": _mean,
    "dot": lambda _, args, __: build("sum", mul(*args)),
    "smallest": lambda _, args, __: neg(build("largest", neg(args[0]))),
    "inverse_std": _inverse_std,
    "norm": _norm,
    "softmax": _softmax,
    "is_largest": _is_largest,
}
"""Operations on whole vectors, in terms of sums and elements."""


def is_labelled(matrix: Node) -> bool:
    """Whether a matrix is one that an edge's label chooses, as it is or turned."""
    if matrix.operation == "transpose":
        matrix = matrix.arguments[0]
    return matrix.operation == "labelled" and len(matrix.shape) == 2


class _Normaliser:
    """Rewrites the lines of a program, and collects those that it must add."""

    def __init__(self, program: Program, sizes: Mapping[str, int]):
        self.program, self.sizes = program, sizes
        self.names = names_of(program.system)
        self.lines: dict[Section, list[tuple[str, Node]]] = {"before": [], "loop": [], "after": []}
        self.section: Section = "before"
        self.known: dict[Node, Node] = {}
        self.named: dict[Node, Node] = {}

    def run(self) -> Normal:
        where = _demoted(self.program)
        for section in ("before", "loop", "after"):
            self.section = section
            for line in self.program.system.equations:
                if where[line.name] == section:
                    value = self.line(line.value)
                    self.lines[section].append((line.name, value))
        totals = self.totals()
        lines = {section: tuple(found) for section, found in self.lines.items()}
        system = self.program.system
        within = _within(dict(chain(*lines.values())), totals, self.sizes)
        return Normal(lines, totals, system.states, system.reverse, within=within)

    def line(self, value: Node) -> Node:
        """The value of a whole line: a reduction needs no further name there."""
        if value.varies and value.operation == "dot":
            value = build("sum", mul(*value.arguments))
        if value.varies and value.operation in REDUCTIONS:
            return remake(value, self._without_products(self.normal(a) for a in value.arguments))
        return self.normal(value)

    def _without_products(self, values: Iterable[Node]) -> tuple[Node, ...]:
        """What a reduction reads: products, such as a bilinear one's, have lines of their own."""
        return tuple(
            self.name(value) if any(n.operation == "matmul" for n in walk([value])) else value
            for value in values
        )

    def normal(self, value: Node) -> Node:
        """An expression with every reduction and every operand of a product read by name."""
        for node in walk([value]):
            if node not in self.known:
                self.known[node] = self._step(node)
        return self.known[value]

    def _step(self, node: Node) -> Node:
        if not node.varies or node.operation == "read" or is_labelled(node):
            return node
        if len(node.shape) > 1:
            raise RefusedError(f"it computes a matrix at every step ('{node.operation}')")
        args = tuple(self.known[a] for a in node.arguments)
        if node.operation in _EXPANDED:
            return self.normal(_EXPANDED[node.operation](node, args, self.sizes))
        if node.operation in ("matmul", "bilinear"):
            product = self._product if node.operation == "matmul" else self._bilinear
            return product(node, args)
        if node.operation in REDUCTIONS:
            return self.name(remake(node, self._without_products(args)))
        elementwise = OPERATIONS[node.operation].kind == "elementwise"
        if not elementwise and node.operation not in _PLACED:
            raise RefusedError(f"it has no kernel for '{node.operation}'")
        return remake(node, args)

    def _product(self, node: Node, args: tuple[Node, ...]) -> Node:
        if node.arguments[0].varies and not is_labelled(node.arguments[0]):
            raise RefusedError("it multiplies with a matrix that varies")
        operand = args[1]
        return remake(
            node, [args[0], operand if operand.operation == "read" else self.name(operand)]
        )

    def _bilinear(self, node: Node, args: tuple[Node, ...]) -> Node:
        """V a b = flatten(V) @ kron(a, b)."""
        if node.arguments[0].varies:
            raise RefusedError("it multiplies with a third-order array that varies")
        pairs = self._pairs(*args[1:])
        shape = (node.shape[0], pairs.shape[0])
        flat = build("flatten", args[0], attributes=(shape,))
        return build("matmul", flat, self.name(pairs))

    def _pairs(self, *vectors: Node) -> Node:
        """All products of an element of one vector with one of the other."""
        count = 1
        for vector in vectors:
            count *= vector.shape[0].evaluate(self.sizes)
        named = [v if v.operation == "read" else self.name(v) for v in vectors]
        return build("kron", *named, attributes=((Dim((), count),),))

    def name(self, value: Node) -> Node:
        """A line of its own for an expression, in the section at work."""
        if value not in self.named:
            name = self.names.numbered("part")
            self.lines[self.section].append((name, value))
            self.named[value] = read(name, "t", value.shape)
        return self.named[value]

    def totals(self) -> tuple[Total, ...]:
        values = [line.value for line in self.program.totals]
        found = [node for node in walk(values) if node.operation in ("total", "total_labelled")]
        return tuple(self._total(node) for node in found if node.arguments[0].varies)

    def _total(self, node: Node) -> Total:
        value = node.arguments[0]
        if node.operation == "total_labelled":
            if value.operation != "outer" or len(value.arguments) != 2:
                raise RefusedError("an edge's label chooses something other than a matrix")
            return Total(node, "labelled", tuple(self._signal(a) for a in value.arguments))
        if value.operation == "outer":
            first, *others = value.arguments
            if len(others) == 2:
                others = [self._pairs(*(self.normal(v) for v in others))]
            return Total(node, "outer", tuple(self._signal(a) for a in (first, *others)))
        if len(value.shape) > 1:
            raise RefusedError(f"it sums matrices ('{value.operation}') over the steps")
        factors = value.arguments
        if value.operation == "mul" and all(f.varies and f.shape == value.shape for f in factors):
            return Total(node, "product", tuple(self._signal(a) for a in factors))
        return Total(node, "rows", (self._signal(value),))

    def _signal(self, value: Node) -> Node:
        own = self.program.system.defined
        if value.operation == "read":
            if value.attributes[1] == "t" or value.attributes[0] not in own:
                return value
            raise RefusedError("it sums a state of the step before over all steps")
        return self.name(self.normal(value))


def _within(
    values: Mapping[str, Node], totals: Sequence[Total], sizes: Mapping[str, int]
) -> dict[str, tuple[str, int]]:
    """The summed signals that are stretches of others."""
    reads = [n for total in totals for n in total.operands if n.attributes[1] == "t"]
    names = dict.fromkeys(str(n.attributes[0]) for n in reads)
    pieces = {name: _joined(name, values[name]) for name in names if name in values}
    found: dict[str, tuple[str, int]] = {}
    for whole in sorted(pieces, key=lambda name: -len(pieces[name])):
        of = pieces[whole]
        if whole in found or len(of) < 2:
            continue
        lengths = [piece.shape[0].evaluate(sizes) for piece in of]
        for name, own in pieces.items():
            starts = range(len(of) - len(own) + 1) if len(own) < len(of) else ()
            at = next((n for n in starts if of[n : n + len(own)] == own), None)
            if at is not None and name not in found:
                found[name] = whole, sum(lengths[:at])
    return found


def _joined(name: str, value: Node) -> tuple[Node, ...]:
    """The signals that a signal joins, each read at the same step; itself, if it joins none."""
    if value.operation == "concat" and all(
        n.operation == "read" and n.attributes[1] == "t" for n in value.arguments
    ):
        return value.arguments
    return (read(name, "t", value.shape),)


def _demoted(program: Program) -> dict[str, Section]:
    """The section of each line, with all that defines or reads a carried state in the loop."""
    where: dict[str, Section] = {line.name: "before" for line in program.before}
    where |= {line.name: "loop" for line in program.loop}
    where |= {line.name: "after" for line in program.after}
    states = set(program.system.states)
    values = {line.name: line.value for line in program.system.equations}
    reads = {name: set(names_read([value], "t")) & values.keys() for name, value in values.items()}
    carried = {name: set(names_read([value], *CARRIED)) & states for name, value in values.items()}
    pending = [name for name in values if name in states or carried[name]]
    while pending:
        name = pending.pop()
        where[name] = "loop"
        for other in values:
            needed = other in reads[name] and where[other] == "after"
            follows = name in reads[other] and where[other] == "before"
            if needed or follows:
                where[other] = "loop"
                pending.append(other)
    return where
