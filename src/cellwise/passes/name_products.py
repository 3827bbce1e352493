"""Name products: what the backward would multiply or norm again gets a name, and can be saved."""

from __future__ import annotations

from dataclasses import replace

from cellwise.autodiff.derivative import names_of
from cellwise.autodiff.reverse import backward
from cellwise.graph.build import build, read, remake
from cellwise.graph.node import Node, rewrite, walk
from cellwise.graph.places import inside, place_of, walk_places
from cellwise.graph.system import Equation, System
from cellwise.passes.share import PRODUCTS, name_nodes
from cellwise.passes.share_nodes import name_spots
from cellwise.passes.simplify import simplify


def name_products(system: System) -> System:
    """The system with a name for each unnamed product that its backward reads.

    In `h[t] = z[t] * tanh(W @ h[t-1])` the backward needs `tanh(W @ h[t-1])`: it becomes
    `h_1[t] = tanh(W @ h[t-1])`, whose value is saved instead of being computed a second time. So
    does `norm(v)`, along with its `inverse_std(v)`, which the forward computes anyway.
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
    return _with_deviations(name_nodes(system, dict.fromkeys(found, ""))) if found else system


def name_products_of_nodes(system: System, derived: System) -> System:
    """The same over trees: what the derived equations would multiply or norm again."""
    own = {
        spot
        for line in (*system.leaf, *system.equations)
        for spot in walk_places(line.value, line.index)
    }
    found: dict[tuple[str, Node], Node] = {}
    for line in derived.lines():
        for node, place in walk_places(line.value, place_of(line, system)):
            within = inside(node, place)
            for used in node.arguments:
                while used.operation == "neg":
                    (used,) = used.arguments
                known = {spot[1]: read_ for spot, read_ in found.items()}
                fresh = (node, place) not in own and (used, within) in own
                if fresh and (within, used) not in found and _multiplies(used, known):
                    found[within, used] = read(f"named {len(found)}", "n", used.shape)
    return _with_deviations(name_spots(system, found)) if found else system


def _with_deviations(system: System) -> System:
    """The system with a line for what each normalised line was multiplied by."""
    names, lines = names_of(system), list[Equation]()
    for line in system.equations:
        lines.append(line)
        if line.value.operation == "norm":
            scale = build("inverse_std", *line.value.arguments)
            lines.append(Equation(names.numbered(line.name), line.index, scale))
    return replace(system, equations=tuple(lines))


def _multiplies(node: Node, named: dict[Node, Node]) -> bool:
    """Whether computing `node` takes a product or a norm, beyond those that have a name."""
    if not node.varies or len(node.shape) > 1:
        return False
    (value,) = rewrite([node], lambda n, arguments: named.get(n) or remake(n, arguments), {})
    return any(n.operation in (*PRODUCTS, "norm") and n.varies for n in walk([value]))
