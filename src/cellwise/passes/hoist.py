"""Hoist: products that no state reaches leave the loop over the steps."""

from __future__ import annotations

from cellwise.autodiff.derivative import names_of
from cellwise.graph.build import add, remake
from cellwise.graph.node import Node
from cellwise.graph.system import System
from cellwise.graph.transform import rewrite_system
from cellwise.passes.sections import Reach
from cellwise.passes.share import has_product, name_nodes
from cellwise.passes.sums import Term, sum_of, terms, whole_sums


def hoist(system: System) -> System:
    """The system with products of inputs as equations of their own.

    `sigmoid(U @ x[t] + W @ h[t-1] + b)` becomes `sigmoid(z_1[t] + W @ h[t-1])` with
    `z_1[t] = U @ x[t] + b`: what is the same at all steps, such as b, goes along.
    """
    if system.structure == "tree":
        return system
    system = _gather(system)
    reach, names = Reach(system), names_of(system)
    found: dict[Node, str] = {}
    for line in system.equations:
        if line.name in reach.names:
            for node in _free_parts(line.value, reach):
                if node not in found:
                    found[node] = names.numbered(line.name)
    return name_nodes(system, found)


def _free_parts(value: Node, reach: Reach) -> list[Node]:
    """The largest parts of an expression that depend on no state and hold a product."""
    parts, stack = [], [value]
    while stack:
        node = stack.pop()
        if not node.varies or not node.arguments:
            continue
        if reach(node) or len(node.shape) > 1:
            stack.extend(reversed(node.arguments))
        elif has_product(node):
            parts.append(node)
    return parts


def _gather(system: System) -> System:
    """Sums with a product that depends on no state: all terms that depend on none come first."""
    reach, sums = Reach(system), whole_sums(system.roots())

    def step(node: Node, arguments: tuple[Node, ...]) -> Node:
        whole = remake(node, arguments)
        return _sorted_sum(whole, reach) if node in sums else whole

    return rewrite_system(system, step)


def _sorted_sum(whole: Node, reach: Reach) -> Node:
    free: list[Term] = []
    rest: list[Term] = []
    for term in terms(whole):
        (rest if reach(term[1]) else free).append(term)
    if not rest or not any(has_product(node) for _, node in free):
        return whole
    return add(sum_of(free), sum_of(rest))
