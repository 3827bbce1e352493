"""Share: what is computed more than once becomes an equation with a name of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from cellwise.autodiff.derivative import Names, names_of
from cellwise.graph.build import read, remake
from cellwise.graph.node import Node, walk
from cellwise.graph.operations import OPERATIONS
from cellwise.graph.system import Equation, System
from cellwise.graph.verify import OVER_STEPS

PRODUCTS = ("matmul", "bilinear")
TRIVIAL = ("neg", "broadcast", "part")


def share(system: System, *, taken: Collection[str] = ()) -> System:
    """The system with a name for every expression that it uses more than once.

    No new name is among those that are `taken`: a derived system's cell may have some that the
    derivative does not read.

    An expression that is an equation's value already is read by that equation's name, and that
    equation moves up if need be. Cheap ones (one element-by-element operation of two) stay where
    they are, as does what only looks at given signals without a product.
    """
    if system.structure == "tree":
        return system
    names = _line_names(system)
    wanted = [node for node in _repeated(system) if node not in names and worthwhile(node, system)]
    return name_nodes(system, {**names, **dict.fromkeys(wanted, "")}, taken=taken)


def name_nodes(system: System, names: dict[Node, str], *, taken: Collection[str] = ()) -> System:
    """The system with an equation for each node of `names`, ahead of its first use.

    Args:
        system: over a chain.
        names: an equation's value maps to that equation's name; another node to a name that is
            free, or to an empty one, which is then made up from what the node reads.
        taken: what no new name is, besides the system's own.
    """
    namer = _Namer(system, names, names_of(system, taken))
    for line in system.equations:
        namer.emit(line)
    totals = tuple(replace(line, value=namer.renew_total(line)) for line in system.totals)
    return replace(system, equations=tuple(namer.lines), totals=totals)


def _line_names(system: System) -> dict[Node, str]:
    names: dict[Node, str] = {}
    for line in system.equations:
        if line.value.varies and line.value.arguments:
            names.setdefault(line.value, line.name)
    return names


def _repeated(system: System) -> list[Node]:
    """The nodes that several places use, arguments before what uses them."""
    roots = [line.value for line in (*system.equations, *system.totals)]
    uses = Counter(dict.fromkeys(roots, 0))
    uses.update(line.value for line in system.equations)
    order = list(walk(roots))
    for node in order:
        uses.update(set(node.arguments))
    return [node for node in order if uses[node] > 1]


def worthwhile(node: Node, system: System) -> bool:
    """Whether an expression that is used more than once should be computed only once."""
    if not node.varies or len(node.shape) > 1 or not node.arguments:
        return False
    inner = [n for n in walk([node]) if n.arguments and n.varies]
    product = any(n.operation in PRODUCTS for n in inner)
    if not product and {str(n.attributes[0]) for n in reads_of(node)} <= {*system.given}:
        return False
    cheap = len(inner) == 1 and OPERATIONS[node.operation].kind == "elementwise"
    return not (cheap and len(node.arguments) > 1) and node.operation not in TRIVIAL


def has_product(node: Node) -> bool:
    """Whether computing an expression takes a product that varies."""
    return any(n.operation in PRODUCTS and n.varies for n in walk([node]))


def reads_of(node: Node) -> list[Node]:
    """The reads below a node, in order of first use."""
    return [inner for inner in walk([node]) if inner.operation == "read"]


def wanted_name(
    value: Node, here: Collection[str], user: str, known: Collection[str]
) -> tuple[str, bool]:
    """What to call an expression: after the cotangent that it reads, else after its user.

    `d_pre_z` is the cotangent of what is inside the function that gives z, `d_in_z` of what a
    product inside it takes; `joined` are several signals as one. What reads no cotangent is none,
    and is not called one: a value that the user `d_z` needs is `v_1`.

    Args:
        value: the expression.
        here: the indices of its step, node or edge.
        user: the line that needs it first.
        known: the names that lines define so far.

    Returns:
        The name, and whether a number has to follow in any case.
    """
    if value.operation == "concat":
        return "joined", True
    for node in reads_of(value):
        name = str(node.attributes[0])
        if name.startswith("d_") and node.attributes[1] in here and name in known:
            stem = re.sub("^d_(pre_|in_)?", "", name)
            kind = "in" if value.operation in PRODUCTS else "pre"
            return f"d_{kind}_{stem}", False
    reads_cotangent = any(str(node.attributes[0]).startswith("d_") for node in reads_of(value))
    return user if reads_cotangent or not user.startswith("d_") else "v", True


@dataclass
class _Namer:
    system: System
    names: dict[Node, str]
    fresh: Names
    lines: list[Equation] = field(default_factory=list)
    memo: dict[Node, Node] = field(default_factory=dict)
    emitted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.by_name = {line.name: line for line in self.system.equations}

    def emit(self, line: Equation) -> None:
        """Add a line, and the named nodes that it uses ahead of it."""
        if line.name in self.emitted:
            return
        self.emitted.add(line.name)
        if self.names.get(line.value) == line.name:
            self._renew(line.value.arguments, line.name)
            value = remake(line.value, [self.memo[a] for a in line.value.arguments])
            self.memo[line.value] = read(line.name, line.index, value.shape)
        else:
            (value,) = self._renew([line.value], line.name)
        self.lines.append(replace(line, value=value))

    def renew_total(self, line: Equation) -> Node:
        """A total's value; what it holds over the steps is named, the sum itself is not."""
        return self._renew([line.value], line.name)[0]

    def _renew(self, roots: Iterable[Node], user: str) -> list[Node]:
        roots = list(roots)
        for node in walk(roots):
            if node in self.memo:
                continue
            value = remake(node, [self.memo[a] for a in node.arguments])
            name = self.names.get(node)
            if name is not None and node.operation not in OVER_STEPS:
                if name in self.by_name:
                    self.emit(self.by_name[name])
                    continue
                name = name or self._make_up(value, user)
                self.lines.append(Equation(name, "t", value))
                value = read(name, "t", value.shape)
            self.memo[node] = value
        return [self.memo[node] for node in roots]

    def _make_up(self, value: Node, user: str) -> str:
        """A name for an expression."""
        wanted, numbered = wanted_name(value, ("t",), user, self.emitted_names())
        return self.fresh.numbered(wanted) if numbered else self.fresh.fresh_or_numbered(wanted)

    def emitted_names(self) -> set[str]:
        """The names that lines define so far."""
        return {line.name for line in self.lines}
