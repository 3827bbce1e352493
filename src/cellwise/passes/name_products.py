"""Name products: what the backward would multiply again gets a name, and so can be saved."""

from __future__ import annotations

from cellwise.autodiff.reverse import backward
from cellwise.graph.build import read, remake
from cellwise.graph.node import Node, rewrite, walk
from cellwise.graph.system import System
from cellwise.passes.share import PRODUCTS, name_nodes
from cellwise.passes.simplify import simplify


def name_products(system: System) -> System:
    """The system with a name for each unnamed product that its backward reads.

    In `h[t] = z[t] * tanh(W @ h[t-1])` the backward needs `tanh(W @ h[t-1])`: it becomes
    `h_1[t] = tanh(W @ h[t-1])`, whose value is saved instead of being computed a second time.
    """
    derived = simplify(backward(system).system)
    own = set(walk([line.value for line in system.equations]))
    found: dict[Node, Node] = {}
    for node in walk(derived.roots()):
        for used in node.arguments:
            while used.operation == "neg":
                (used,) = used.arguments  # a sign costs nothing
            if node not in own and used in own and used not in found and _multiplies(used, found):
                found[used] = read(f"named {len(found)}", "t", used.shape)
    return name_nodes(system, dict.fromkeys(found, "")) if found else system


def _multiplies(node: Node, named: dict[Node, Node]) -> bool:
    """Whether computing `node` takes a product, beyond those that have a name."""
    if not node.varies or len(node.shape) > 1:
        return False
    (value,) = rewrite([node], lambda n, arguments: named.get(n) or remake(n, arguments), {})
    return any(n.operation in PRODUCTS and n.varies for n in walk([value]))
