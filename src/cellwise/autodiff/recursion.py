"""Reverse mode over trees and graphs: back-propagation through structure, as equations.

Source: Goller and Küchler 1996, Learning task-dependent distributed representations by
backpropagation through structure; here for any equations over nodes, edges and leaves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from cellwise.autodiff.derivative import Derivative, names_of
from cellwise.autodiff.linear import linearise, transpose
from cellwise.autodiff.reads import given_names, names_at
from cellwise.autodiff.rules import zeros
from cellwise.errors import StructureError
from cellwise.graph.build import add, build, read, remake, sum_children, sum_parents, total
from cellwise.graph.dimension import Shape
from cellwise.graph.node import Node, rewrite, walk
from cellwise.graph.system import SLOTS, Equation, System

Space = Literal["n", "n,k", "leaf"]
"""Where an expression is evaluated: at each node, at each edge, at each leaf."""

SPACES: tuple[Space, ...] = ("n", "n,k", "leaf")


def settle(system: System) -> System:
    """The system with every sum over children as a line of its own."""
    names, lines, named = names_of(system), list[Equation](), dict[Node, Node]()

    def step(node: Node, arguments: tuple[Node, ...]) -> Node:
        if node.operation != "sum_children":
            return remake(node, arguments)
        whole = named.get(node)
        if whole is None:
            name = names.numbered("sum")
            lines.append(Equation(name, "n", node))
            whole = named[node] = read(name, "n", node.shape)
        return whole

    for line in system.equations:
        value = line.value
        if line.index == "n" and value.operation != "sum_children":
            (value,) = rewrite([value], step, {})
        elif value.operation == "sum_children":
            named.setdefault(value, read(line.name, "n", value.shape))
        lines.append(replace(line, value=value))
    return replace(system, equations=tuple(lines))


def backward_over_nodes(system: System, results: Sequence[str]) -> Derivative:
    """The system that sends cotangents from the roots of trees down to all inputs and parameters.

    The system has to be settled. With `d_out_s[n]` the cotangent of each of the `results`, it
    defines

    - `d_s[n]` (at leaves `d_s[leaf]`, of an edge `d_s[n,k]`) for each signal;
    - `d_down_s[n,k]`, what a node sends to `s[k]`, and `d_left_s[n]` and so on for slots;
    - `d_x[n]` for each input, and the totals `d_W`.

    Raises:
        StructureError: the system is derived itself: it holds totals, or sums over parents.
    """
    _check(system)
    sweep = _Sweep(system, tuple(results))
    equations = sweep.nodes()
    leaf = sweep.leaves()
    totals = sweep.totals()
    inputs = system.inputs
    result = System(
        equations=tuple(equations),
        output=sweep.names[inputs[0]] if inputs else equations[-1].name,
        totals=tuple(totals),
        leaf=tuple(leaf),
        constants=system.constants,
        given=given_names(system, [line.value for line in (*equations, *leaf, *totals)]),
    )
    return Derivative(result, sweep.names, sweep.outs[system.output], outs=sweep.outs)


def _check(system: System) -> None:
    cause = "sums over all nodes" if system.totals else ""
    if any(node.operation == "sum_parents" for node in walk(system.roots())):
        cause = "sums over parents"
    if cause:
        raise StructureError(
            f"the backward equations of trees are derived once, but the equations hold {cause}"
        )


@dataclass
class _Sweep:
    """The cotangents that have been sent so far, by where and to what they were sent."""

    system: System
    results: tuple[str, ...]
    sent: dict[Space, dict[Node, list[Node]]] = field(
        default_factory=lambda: {space: defaultdict(list) for space in SPACES}
    )

    def __post_init__(self) -> None:
        system, names = self.system, names_of(self.system)
        signals = [*system.defined, *system.inputs, *system.given, *system.parameters]
        self.names = {name: names.fresh(f"d_{name}") for name in dict.fromkeys(signals)}
        self.outs = {name: names.fresh(f"d_out_{name}") for name in self.results}
        carried = [key for key in system.reads() if key[1] in ("k", *SLOTS)]
        prefix = {"k": "down", **{slot: slot for slot in SLOTS}}
        self.sent_on = {(s, i): names.fresh(f"d_{prefix[i]}_{s}") for s, i in carried}
        self.values = {space: names_at(system, space) for space in SPACES}

    def nodes(self) -> list[Equation]:
        """The equations of nodes and edges, in the order in which they are evaluated."""
        lines = []
        for line in reversed(self.system.equations):
            space: Space = "n,k" if line.index == "n,k" else "n"
            lines.append(self._signal(line.name, line.value.shape, space, line))
            pull = read(self.names[line.name], space, line.value.shape)
            if line.value.operation == "sum_children":
                self._pull(line.value.arguments[0], pull, "n,k")
            else:
                self._pull(line.value, pull, space)
        lines += self._outside(self.system.equations, "n")
        for (state, index), name in self.sent_on.items():
            space = "n,k" if index == "k" else "n"
            node = read(state, index, self.system.shape_of(state))
            lines.append(Equation(name, space, _sum(self.sent[space][node], node.shape)))
        return lines

    def leaves(self) -> list[Equation]:
        """The equations of leaves."""
        lines = []
        for line in reversed(self.system.leaf):
            lines.append(self._signal(line.name, line.value.shape, "leaf", line))
            self._pull(line.value, read(self.names[line.name], "leaf", line.value.shape), "leaf")
        lines += self._outside(self.system.leaf, "leaf")
        for (state, index), name in self.sent_on.items():
            node = read(state, index, self.system.shape_of(state))
            if index == "parent" and self.system.leaf:
                lines.append(Equation(name, "leaf", _sum(self.sent["leaf"][node], node.shape)))
        return lines

    def _outside(self, lines: Sequence[Equation], space: Space) -> list[Equation]:
        nodes = walk([line.value for line in lines])
        found = {str(node.attributes[0]) for node in nodes if node.operation == "read"}
        found |= {name for name, _ in self.sent_on} if lines else set()
        names = [n for n in (*self.system.inputs, *self.system.given) if n in found]
        return [self._signal(name, self.system.shape_of(name), space) for name in names]

    def _signal(
        self, name: str, shape: Shape, space: Space, line: Equation | None = None
    ) -> Equation:
        terms = [read(self.outs[name], space, shape)] if name in self.outs else []
        if space != "n,k":
            terms += self._arriving(name, shape, space)
        terms += self.sent[space][read(name, space, shape)]
        below = self.sent["n,k"][read(name, "n", shape)] if space == "n" else []
        terms += [sum_children(add(*below))] if below else []
        comment, span = (line.comment, line.span) if line else ("", None)
        return Equation(self.names[name], space, _sum(terms, shape), comment, span)

    def _arriving(self, name: str, shape: Shape, space: Space) -> list[Node]:
        """What the nodes that read a signal at this one send to it."""
        terms = []
        for (state, index), sent in self.sent_on.items():
            if state != name:
                continue
            if index == "k":
                terms.append(sum_parents(read(sent, "n,k", shape)))
            elif index != "parent":
                terms.append(sum_parents(read(sent, "n", shape), index))
            elif space == "n":
                terms.append(sum_children(read(sent, "k", shape)))
        return terms

    def _pull(self, value: Node, cotangent: Node, space: Space) -> None:
        """Send the cotangent of `value` to the leaves that it is computed from."""
        leaves: dict[Node, Node] = {}

        def leaf(node: Node) -> Node | None:
            if not _is_leaf(node):
                return None
            return leaves.setdefault(node, read(f"dot {len(leaves)}", "n", node.shape))

        (linear,) = linearise([value], leaf)
        if linear is None:
            return
        sent = transpose(linear, list(leaves.values()), cotangent)
        names = self.values[space]
        for node, stand_in in leaves.items():
            if stand_in in sent:
                (named,) = rewrite(
                    [sent[stand_in]], lambda n, inner: names.get(n) or remake(n, inner), {}
                )
                self.sent[space][node].append(named)

    def totals(self) -> list[Equation]:
        """The equations of the parameters' cotangents, summed over nodes, edges and leaves."""
        fixed: dict[Node, list[Node]] = defaultdict(list)
        for space in SPACES:
            for node, terms in self.sent[space].items():
                if node.operation == "read" or not terms:
                    continue
                if node.operation == "labelled":
                    whole = build("total_labelled", add(*terms), attributes=node.attributes[1:2])
                else:
                    whole = add(*terms)
                    whole = total(sum_children(whole) if space == "n,k" else whole)
                fixed[node].append(whole)
        found: dict[Node, list[Node]] = defaultdict(list)
        for node, sums in fixed.items():
            for leaf, sent in _through(node, add(*sums)):
                found[leaf].append(sent)
        parameters = [n for n in walk(self.system.roots()) if _is_parameter(n)]
        return [
            Equation(self.names[str(n.attributes[0])], "", _sum_of_totals(found[n], n.shape))
            for n in dict.fromkeys(parameters)
        ]


def _through(node: Node, cotangent: Node) -> list[tuple[Node, Node]]:
    """The parameters that something fixed is computed from, with their cotangents."""
    if _is_parameter(node):
        return [(node, cotangent)]
    leaves = {n: read(f"dot {i}", "n", n.shape) for i, n in enumerate(_parameters(node))}
    (linear,) = linearise([node], leaves.get)
    if linear is None:
        return []
    sent = transpose(linear, list(leaves.values()), cotangent)
    return [(n, sent[stand_in]) for n, stand_in in leaves.items() if stand_in in sent]


def _parameters(node: Node) -> list[Node]:
    return [inner for inner in walk([node]) if _is_parameter(inner)]


def _is_parameter(node: Node) -> bool:
    return node.operation in ("parameter", "labelled")


def _is_leaf(node: Node) -> bool:
    """Reads, and what is the same at all nodes: its cotangent is summed over the nodes first."""
    if node.operation in ("read", "labelled"):
        return True
    return not node.varies and any(n.operation == "parameter" for n in walk([node]))


def _sum(terms: Sequence[Node], shape: Shape) -> Node:
    return add(*terms) if terms else zeros(shape)


def _sum_of_totals(terms: Sequence[Node], shape: Shape) -> Node:
    return add(*terms) if terms else total(zeros(shape))
