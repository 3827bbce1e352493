"""Reverse mode: back-propagation through time, as equations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from cellwise.autodiff.derivative import Derivative, names_of
from cellwise.autodiff.linear import linearise, transpose
from cellwise.autodiff.reads import given_names, named_values
from cellwise.autodiff.rules import zeros
from cellwise.errors import StructureError
from cellwise.graph.build import add, build, read, total
from cellwise.graph.dimension import Shape
from cellwise.graph.node import Node, walk
from cellwise.graph.system import Equation, System


def backward(system: System) -> Derivative:
    """The system that sends the cotangent of the output back to all inputs and parameters.

    It runs from the last step to the first, and reads of the system itself what is `given`. With
    `d_out_h[t]` the cotangent of the output at each step, it defines

    - `d_s[t]` for each signal: from the output, from the next step (`d_prev_s[t+1]`) and from later
      equations;
    - `d_prev_s[t]` for each state: what this step sends to `s[t-1]`; past the last step it is the
      cotangent of the final state, at the first step that of the initial state;
    - `d_x[t]` for each input, and the totals `d_W` for each parameter.

    Raises:
        StructureError: the system is over trees, runs backwards itself, or holds totals.
    """
    _check(system)
    sweep = _Sweep(system, *_names(system))
    equations = sweep.steps()
    totals = sweep.totals()
    renewed = named_values(system, [*equations, *totals])
    inputs = system.inputs
    result = System(
        equations=tuple(renewed[: len(equations)]),
        output=sweep.names[inputs[0]] if inputs else equations[-1].name,
        totals=tuple(renewed[len(equations) :]),
        constants=system.constants,
        given=given_names(system, [line.value for line in renewed]),
    )
    return Derivative(result, sweep.names, sweep.out, sweep.previous)


def _check(system: System) -> None:
    cause = ""
    if system.structure == "tree":
        cause = "the equations are over trees"
    elif system.reverse:
        cause = "the equations run from the last step to the first"
    elif system.totals:
        cause = "the equations hold sums over all steps"
    if cause:
        raise StructureError(f"the backward equations are derived for chains of steps, but {cause}")


def _names(system: System) -> tuple[dict[str, str], str, dict[str, str]]:
    names = names_of(system)
    signals = [*system.defined, *system.inputs, *system.given, *system.parameters]
    derived = {name: names.fresh(f"d_{name}") for name in dict.fromkeys(signals)}
    carried = dict.fromkeys(name for name, index in system.reads() if index == "t-1")
    out = names.fresh(f"d_out_{system.output}")
    return derived, out, {name: names.fresh(f"d_prev_{name}") for name in carried}


@dataclass
class _Sweep:
    """The cotangents that have been sent so far, by what they were sent to."""

    system: System
    names: dict[str, str]
    out: str
    previous: dict[str, str]
    sent: dict[Node, list[Node]] = field(default_factory=lambda: defaultdict(list))

    def steps(self) -> list[Equation]:
        """The equations of one step, in the order in which they are evaluated."""
        system, lines = self.system, []
        for line in reversed(system.equations):
            lines.append(self._signal(line.name, line.value.shape, line))
            pull = read(self.names[line.name], "t", line.value.shape)
            if lines[-1].value is not zeros(line.value.shape):
                self._pull(line.value, pull, _leaf_of_step)
        outside = (*system.inputs, *system.given)
        lines.extend(self._signal(name, system.shape_of(name)) for name in outside)
        for state, name in self.previous.items():
            node = read(state, "t-1", system.shape_of(state))
            lines.append(Equation(name, "t", self._sum(node)))
        return lines

    def _signal(self, name: str, shape: Shape, line: Equation | None = None) -> Equation:
        node = read(name, "t", shape)
        before: list[Node] = []
        if name == self.system.output:
            before.append(read(self.out, "t", shape))
        if name in self.previous:
            before.append(read(self.previous[name], "t+1", shape))
        self.sent[node] = before + self.sent[node]
        comment, span = (line.comment, line.span) if line else ("", None)
        return Equation(self.names[name], "t", self._sum(node), comment, span)

    def totals(self) -> list[Equation]:
        """The equations of the parameters' cotangents, summed over all steps."""
        fixed = {node: total(add(*terms)) for node, terms in self.sent.items() if not node.varies}
        found: dict[Node, list[Node]] = defaultdict(list)
        for state, node in self.system.initial:
            sent = read(self.previous[state], "t", node.shape)
            found[node].append(build("first", sent))
        self.sent = found
        for node, cotangent in fixed.items():
            self._pull(node, cotangent, _leaf_of_parameter)
        parameters = [n for n in walk(self.system.roots()) if n.operation == "parameter"]
        return [
            Equation(self.names[str(node.attributes[0])], "", self._sum(node))
            for node in dict.fromkeys(parameters)
        ]

    def _sum(self, node: Node) -> Node:
        terms = self.sent.get(node)
        if terms:
            return add(*terms)
        return zeros(node.shape) if node.varies else total(zeros(node.shape))

    def _pull(self, value: Node, cotangent: Node, is_leaf: Callable[[Node], bool]) -> None:
        """Send the cotangent of `value` to the leaves that it is computed from."""
        leaves: dict[Node, Node] = {}

        def leaf(node: Node) -> Node | None:
            if not is_leaf(node):
                return None
            return leaves.setdefault(node, read(f"dot {len(leaves)}", "t", node.shape))

        (linear,) = linearise([value], leaf)
        if linear is None:
            return
        sent = transpose(linear, list(leaves.values()), cotangent)
        for node, stand_in in leaves.items():
            if stand_in in sent:
                self.sent[node].append(sent[stand_in])


def _leaf_of_step(node: Node) -> bool:
    """Reads, and what is the same at all steps: its cotangent is summed over the steps first."""
    return node.operation == "read" or (not node.varies and _has_parameter(node))


def _leaf_of_parameter(node: Node) -> bool:
    return node.operation == "parameter"


def _has_parameter(node: Node) -> bool:
    return any(inner.operation == "parameter" for inner in walk([node]))
