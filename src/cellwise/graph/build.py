"""Making nodes: the shape is inferred and checked, so that no ill-formed node exists.

`build` is the general way; the named functions below it read like the mathematics.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from cellwise.errors import ShapeError
from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Attribute, Node, intern
from cellwise.graph.operations import OPERATIONS

_VARYING = ("read", "labelled", "hole", "sum_children", "sum_parents", "gathered")


def build(operation: str, *arguments: Node, attributes: tuple[Attribute, ...] = ()) -> Node:
    """The node that applies `operation` to `arguments`.

    Raises:
        ShapeError: the arguments' number or shapes do not fit the operation.
    """
    row = OPERATIONS[operation]
    fewest, most = row.arity
    if not fewest <= len(arguments) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise ShapeError(f"'{operation}' takes {wanted} arguments, but {len(arguments)} are given")
    shape = row.infer(arguments, attributes)
    varies = operation in _VARYING or any(a.varies for a in arguments)
    if operation in ("total", "first", "total_labelled"):
        varies = False
    return intern(operation, arguments, attributes, shape, varies)


def remake(node: Node, arguments: Sequence[Node]) -> Node:
    """The same operation with the same attributes, on other arguments."""
    if tuple(arguments) == node.arguments:
        return node
    return build(node.operation, *arguments, attributes=node.attributes)


def read(name: str, index: str, shape: Shape) -> Node:
    """A signal at a place: index `t`, `t-1`, `t+1`; `n`, `k`, `n,k`, `left`, `right`, `parent`."""
    return build("read", attributes=(name, index, shape))


def parameter(name: str, shape: Shape) -> Node:
    """A learned array."""
    return build("parameter", attributes=(name, shape))


def constant(name: str) -> Node:
    """A named scalar whose value the system holds and a layer can override."""
    return build("constant", attributes=(name,))


def number(value: float) -> Node:
    """A literal."""
    return build("number", attributes=(float(value),))


def add(*terms: Node) -> Node:
    """The sum of one or more terms, from the left."""
    return reduce(lambda a, b: build("add", a, b), terms)


def sub(a: Node, b: Node) -> Node:
    """The difference `a - b`."""
    return build("sub", a, b)


def mul(*factors: Node) -> Node:
    """The product, element by element, of one or more factors, from the left."""
    return reduce(lambda a, b: build("mul", a, b), factors)


def div(a: Node, b: Node) -> Node:
    """The quotient `a / b`, element by element."""
    return build("div", a, b)


def neg(a: Node) -> Node:
    """The negative `-a`."""
    return build("neg", a)


def matmul(a: Node, b: Node) -> Node:
    """The product of a matrix with a vector or a matrix."""
    return build("matmul", a, b)


def transpose(a: Node) -> Node:
    """The transposed matrix."""
    return build("transpose", a)


def outer(*vectors: Node) -> Node:
    """out[i, j] = a[i] b[j], and with three vectors out[i, j, k] = a[i] b[j] c[k]."""
    return build("outer", *vectors)


def concat(*pieces: Node) -> Node:
    """The pieces joined along their first dimension."""
    return build("concat", *pieces)


def part(whole: Node, index: int, sizes: Sequence[Dim]) -> Node:
    """The `index`-th of the pieces of the given sizes that `whole` is joined from."""
    return build("part", whole, attributes=(index, tuple(sizes)))


def broadcast(scalar: Node, shape: Shape) -> Node:
    """The scalar in every element of an array of `shape`."""
    return build("broadcast", scalar, attributes=(shape,)) if shape else scalar


def sum_children(a: Node) -> Node:
    """The sum over the children k of a node n of an expression of the edge (n, k)."""
    return build("sum_children", a)


def sum_parents(a: Node, slot: str = "") -> Node:
    """The sum over the edges that lead to a node, of an expression of the edge (n, k), k being it.

    With a slot, over those edges only on which the node is in that slot.
    """
    return build("sum_parents", a, attributes=(slot,))


def total(a: Node) -> Node:
    """The sum over all steps (and sequences)."""
    return build("total", a)
