"""The one node of every expression, interned: equal expressions are the same object."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias
from weakref import WeakValueDictionary

from cellwise.graph.dimension import Shape

Attribute: TypeAlias = "str | int | float | tuple[object, ...] | Node"


class Node:
    """An operation applied to nodes, with its shape; immutable, compared by identity.

    Attributes:
        operation: a name in `cellwise.graph.operations.OPERATIONS`.
        arguments: the nodes that it is applied to.
        attributes: what is fixed in the operation (a leaf's name, the index of a part).
        shape: of one step of one sequence; batch and time are never part of it.
        varies: whether it depends on the step, that is, reads a signal.
    """

    __slots__ = ("__weakref__", "arguments", "attributes", "operation", "shape", "varies")

    operation: str
    arguments: tuple[Node, ...]
    attributes: tuple[Attribute, ...]
    shape: Shape
    varies: bool

    def __repr__(self) -> str:
        return self._text(depth=4)

    def _text(self, depth: int) -> str:
        """The expression, and dots for what lies deeper: sums can be thousands of terms deep."""
        parts = [repr(a) for a in self.attributes]
        parts += [a._text(depth - 1) if depth else "…" for a in self.arguments]
        return f"{self.operation}({', '.join(parts)})"

    def __reduce__(self) -> tuple[object, ...]:
        return intern, (self.operation, self.arguments, self.attributes, self.shape, self.varies)


_nodes: WeakValueDictionary[tuple[object, ...], Node] = WeakValueDictionary()
_lock = threading.Lock()


def intern(
    operation: str,
    arguments: tuple[Node, ...],
    attributes: tuple[Attribute, ...],
    shape: Shape,
    varies: bool,
) -> Node:
    """The node of these fields; `graph.build` infers the last two and checks."""
    key = (operation, arguments, tuple((type(a), a) for a in attributes), shape, varies)
    with _lock:
        node = _nodes.get(key)
        if node is None:
            node = Node()
            node.operation, node.arguments, node.attributes = operation, arguments, attributes
            node.shape, node.varies = shape, varies
            _nodes[key] = node
        return node


def walk(roots: Iterable[Node]) -> Iterator[Node]:
    """Every node below `roots`, each once, arguments before what uses them; no recursion."""
    seen: set[Node] = set()
    for root in roots:
        stack: list[tuple[Node, bool]] = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                yield node
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend((a, False) for a in reversed(node.arguments) if a not in seen)


def rewrite(
    roots: Iterable[Node], step: Callable[[Node, tuple[Node, ...]], Node], memo: dict[Node, Node]
) -> list[Node]:
    """Rebuild `roots` bottom-up: `step(node, new_arguments)` gives each node's replacement.

    `memo` holds what was rebuilt before, and can be shared between calls.
    """
    targets = list(roots)
    for node in walk(targets):
        if node not in memo:
            memo[node] = step(node, tuple(memo[a] for a in node.arguments))
    return [memo[node] for node in targets]
