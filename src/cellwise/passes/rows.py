"""From equations over nodes, edges and leaves to programs over rows: what kernels are made of.

A kernel knows rows and nothing else. A node is a row; what an edge computes goes into the sums over
edges that read it, element by element; leaves are rows of a program of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cellwise.autodiff.derivative import all_names
from cellwise.autodiff.rules import zeros
from cellwise.graph.build import build, read, remake
from cellwise.graph.node import Node, rewrite, walk
from cellwise.graph.operations import OPERATIONS
from cellwise.graph.system import SLOTS, Equation, System
from cellwise.graph.transform import rewrite_system
from cellwise.passes.nodes import CompiledNodes, labelled_nodes
from cellwise.passes.normal import RefusedError
from cellwise.passes.pipeline import BACKWARD, FORWARD, READABLE, Pass, run
from cellwise.passes.program import Program
from cellwise.passes.prune import prune
from cellwise.passes.sections import names_read, schedule

TOTALS = ("total", "total_labelled")


@dataclass(frozen=True)
class RowPrograms:
    """The programs of a cell over nodes.

    Attributes:
        forward, backward: of the nodes that levels are made of.
        forward_leaf, backward_leaf: of the leaves, where they have equations of their own.
        saved: the signals that the forward must keep, the results aside.
    """

    forward: Program
    backward: Program
    forward_leaf: Program | None
    backward_leaf: Program | None
    saved: tuple[str, ...]


def row_programs(compiled: CompiledNodes) -> RowPrograms:
    """The programs over rows of a cell over nodes.

    What an edge's label chooses is taken for that of the edge above a node, so programs that have
    it serve trees alone.

    Raises:
        RefusedError: an edge multiplies with a matrix what depends on both of its ends, or reduces
            a vector.
    """
    if compiled.forward.labels:
        compiled = _of_trees(compiled)
    edges = {e.name: e.value for e in compiled.forward.equations if e.index == "n,k"}
    forward = _Lowering(compiled.forward, edges)
    backward = _Lowering(compiled.backward, edges)
    taken = {*all_names(compiled.forward), *all_names(compiled.backward)}
    d_inputs = [compiled.names[name] for name in compiled.forward.inputs]
    back_leaf = _backward(backward.leaf(), d_inputs, taken)
    sent = back_leaf.system.given if back_leaf else ()
    back = _backward(backward.main(), [*d_inputs, *sent], taken)
    assert back is not None
    used = {name for program in (back, back_leaf) if program for name in program.system.given}
    saved = tuple(n for n in compiled.forward.defined if n in used and n not in compiled.results)
    keep = [*compiled.results, *saved]
    main = _program(FORWARD, forward.main(), keep, taken)
    forward_leaf = forward.leaf()
    read = [name for name, index in main.system.reads() if index != "t"]
    return RowPrograms(
        main,
        back,
        _program(FORWARD, forward_leaf, [*keep, *read], taken) if forward_leaf else None,
        back_leaf,
        saved,
    )


def _of_trees(compiled: CompiledNodes) -> CompiledNodes:
    found = labelled_nodes(compiled)
    if (found.names, found.outs) != (compiled.names, compiled.outs):
        raise RefusedError("its names are too many like those of its derivative")
    return found


def _backward(system: System | None, keep: Sequence[str], taken: set[str]) -> Program | None:
    return None if system is None else _program((*READABLE, *BACKWARD), system, keep, taken)


def _program(
    passes: tuple[Pass, ...], system: System, keep: Sequence[str], taken: set[str]
) -> Program:
    """The program of a system; the names that it makes up are nobody else's, and `taken` then."""
    wanted = [name for name in keep if name in system.defined]
    made = prune(_own_names(run(passes, system), system, taken), wanted)
    reads = {name for name, _ in made.reads()}
    return schedule(replace(made, given=tuple(name for name in made.given if name in reads)))


def _own_names(made: System, system: System, taken: set[str]) -> System:
    """What passes made of a system, with other names for what they have added, where they must be.

    Programs of leaves and of levels have their rows in the same arrays, by name.
    """
    others: dict[str, str] = {}
    for name in made.defined:
        if name not in system.defined:
            free = name
            while free in taken:
                free += "_"
            taken.add(free)
            others[name] = free
    if all(name == other for name, other in others.items()):
        return made

    def step(node: Node, arguments: tuple[Node, ...]) -> Node:
        if node.operation == "read" and node.attributes[0] in others:
            name, index = str(node.attributes[0]), str(node.attributes[1])
            return read(others[name], index, node.shape)
        return remake(node, arguments)

    made = rewrite_system(made, step)
    lines = (replace(line, name=others.get(line.name, line.name)) for line in made.equations)
    return replace(made, equations=tuple(lines), output=others.get(made.output, made.output))


class _Lowering:
    """One system, with the equations of edges put where sums over them read them."""

    def __init__(self, system: System, edges: dict[str, Node]):
        own = {e.name: e.value for e in system.equations if e.index == "n,k"}
        self.system, self.edges = system, {**edges, **own}
        self._inlined: dict[str, Node] = {}

    def main(self) -> System:
        """The equations of nodes, as a system over rows."""
        lines = [e for e in self.system.equations if e.index == "n"]
        return self._of(lines, "n")

    def leaf(self) -> System | None:
        """The equations of leaves, as a system over rows of its own."""
        return self._of(self.system.leaf, "leaf") if self.system.leaf else None

    def _of(self, lines: Sequence[Equation], own: str) -> System:
        memo: dict[Node, Node] = {}
        equations = tuple(
            replace(e, index="t", value=rewrite([e.value], self._row, memo)[0]) for e in lines
        )
        totals = tuple(self._total(line, own, memo) for line in self.system.totals)
        totals = tuple(line for line in totals if any(n.operation in TOTALS for n in _below(line)))
        defined = {line.name for line in equations}
        reads = names_read([line.value for line in (*equations, *totals)])
        given = tuple(name for name in reads if name not in {*defined, *self.system.inputs})
        output = self.system.output if self.system.output in defined else equations[-1].name
        return System(equations, output, totals, constants=self.system.constants, given=given)

    def _row(self, node: Node, arguments: tuple[Node, ...]) -> Node:
        if node.operation == "read":
            name, index = str(node.attributes[0]), str(node.attributes[1])
            return read(name, index if index in SLOTS else "t", node.shape)
        if node.operation == "sum_children":
            return self._gathered(node.arguments[0], "k", "n", "k")
        if node.operation == "sum_parents":
            slot = str(node.attributes[0])
            return self._gathered(node.arguments[0], f"p {slot}".strip(), "k", "p")
        return remake(node, arguments)

    def _gathered(self, value: Node, over: str, own: str, index: str) -> Node:
        """A sum over edges: `own` is the row's end of each, the other one is read at `index`."""
        mine: dict[Node, Node] = {}
        others: dict[Node, Node] = {}
        body = self._edge(value)
        for node in walk([body]):
            if node.operation == "read":
                name, end = str(node.attributes[0]), str(node.attributes[1])
                here = end == own
                (mine if here else others)[node] = read(name, "t" if here else index, node.shape)
            elif node.varies and not _is_in_place(node):
                raise RefusedError(f"an edge computes '{node.operation}' of both its ends")
        holes = {
            node: build("hole", attributes=(place, node.shape))
            for place, node in enumerate((*mine, *others))
        }
        (body,) = rewrite([body], lambda n, inner: holes.get(n) or remake(n, inner), {})
        attributes = (over, body, len(mine))
        return build("gathered", *mine.values(), *others.values(), attributes=attributes)

    def _edge(self, value: Node) -> Node:
        """An expression of an edge with nothing left that is read at the edge itself."""

        def step(node: Node, arguments: tuple[Node, ...]) -> Node:
            if node.operation == "read" and node.attributes[1] == "n,k":
                return self._inline(str(node.attributes[0]))
            if node.operation == "labelled":
                name = node.attributes[0]
                raise RefusedError(f"an edge's label chooses '{name}', and it is no matrix")
            return remake(node, arguments)

        return rewrite([value], step, {})[0]

    def _inline(self, name: str) -> Node:
        if name not in self._inlined:
            self._inlined[name] = self._edge(self.edges[name])
        return self._inlined[name]

    def _total(self, line: Equation, own: str, memo: dict[Node, Node]) -> Equation:
        """A total with what is summed over other rows left out: totals are linear."""

        def step(node: Node, arguments: tuple[Node, ...]) -> Node:
            if node.operation in TOTALS and ("leaf" if _at_leaf(node) else "n") != own:
                return zeros(node.shape)
            return self._row(node, arguments)

        return replace(line, value=rewrite([line.value], step, {})[0])


def _is_in_place(node: Node) -> bool:
    kind = OPERATIONS[node.operation].kind
    return kind == "elementwise" or node.operation in ("broadcast", "hole")


def _below(line: Equation) -> list[Node]:
    return list(walk([line.value]))


def _at_leaf(node: Node) -> bool:
    reads = (n for n in walk([node]) if n.operation == "read")
    return any(n.attributes[1] == "leaf" for n in reads)
