"""Where an expression is evaluated: at a step, a node, an edge or a leaf; sums change the place."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cellwise.graph.node import Node, walk
from cellwise.graph.system import Equation, System

OVER_EDGES = ("sum_children", "sum_parents")
EDGE = ("n", "k", "n,k")
"""What an expression of an edge can read: its parent end, its child end, the edge itself."""

Step = Callable[[Node, tuple[Node, ...], str], Node]


def place_of(line: Equation, system: System) -> str:
    """The place of a line's value: its index; for what varies within a total, see `inside`."""
    return line.index or ("n" if system.structure == "tree" else "t")


def inside(node: Node, place: str) -> str:
    """The place of a node's arguments, of a node that is evaluated at `place`."""
    if node.operation in OVER_EDGES or node.operation == "total_labelled":
        return "n,k"
    if node.operation == "total" and place != "t":
        return "leaf" if reads_leaves(node) else "n"
    return place


def reads_leaves(node: Node) -> bool:
    """Whether an expression reads at leaves."""
    return any(n.operation == "read" and n.attributes[1] == "leaf" for n in walk([node]))


def indices(node: Node) -> set[str]:
    """The indices that an expression reads at; a label is an edge's, a sum over edges is `over`."""
    found, seen, stack = set[str](), {node}, [node]
    while stack:
        inner = stack.pop()
        if inner.operation == "read":
            found.add(str(inner.attributes[1]))
        elif inner.operation == "labelled":
            found.add("n,k")
        elif inner.operation in OVER_EDGES:
            found.add("over")
        else:
            stack += {*inner.arguments} - seen
            seen.update(inner.arguments)
    return found


def walk_places(root: Node, place: str) -> Iterator[tuple[Node, str]]:
    """Every node below `root` with its place, each pair once, arguments first; no recursion."""
    seen: set[tuple[Node, str]] = set()
    stack = [(root, place, False)]
    while stack:
        node, here, ready = stack.pop()
        if ready:
            yield node, here
        elif (node, here) not in seen:
            seen.add((node, here))
            stack.append((node, here, True))
            within = inside(node, here)
            stack.extend((a, within, False) for a in reversed(node.arguments))


def rewrite_places(
    root: Node, place: str, step: Step, memo: dict[tuple[Node, str], Node] | None = None
) -> Node:
    """Rebuild `root` bottom-up: `step(node, new_arguments, place)` gives each replacement."""
    memo = {} if memo is None else memo
    for node, here in walk_places(root, place):
        if (node, here) not in memo:
            within = inside(node, here)
            memo[node, here] = step(node, tuple(memo[a, within] for a in node.arguments), here)
    return memo[root, place]
