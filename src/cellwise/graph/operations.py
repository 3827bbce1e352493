"""The table of operations: what each takes, and the shape that it gives.

Derivatives (`autodiff/rules.py`), printing (`equation/show.py`) and evaluation (`backends/`) are
further tables over the same names; a law asserts that every operation has a row in each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cellwise.errors import ShapeError
from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Attribute, Node

Kind = Literal["leaf", "elementwise", "reduction", "vector", "linear", "over", "internal"]
"""What an operation looks at: nothing, the same element of each argument, a whole vector to give a
scalar, one to give a vector, whole arrays that enter linearly, or many steps or children. What is
internal is made for back ends by the last passes, and has neither a derivative nor a text."""

Infer = Callable[[tuple[Node, ...], tuple[Attribute, ...]], Shape]


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table: `arity` is (fewest, most) arguments, `infer` gives the shape."""

    name: str
    kind: Kind
    arity: tuple[int, int]
    infer: Infer
    commutative: bool = False


RANKS = ("a scalar", "a vector", "a matrix", "a third-order array")


def describe(shape: Shape) -> str:
    """A shape in words: "a vector of size h"."""
    sizes = " by ".join(str(d) for d in shape)
    return RANKS[len(shape)] + (f" of size {sizes}" if shape else "")


def _need(arguments: tuple[Node, ...], *ranks: int) -> None:
    for position, (node, rank) in enumerate(zip(arguments, ranks, strict=True), 1):
        if len(node.shape) != rank:
            found = describe(node.shape)
            raise ShapeError(f"argument {position} must be {RANKS[rank]}, but is {found}")


def _same(first: Dim, second: Dim) -> None:
    if first != second:
        raise ShapeError(f"sizes {first} and {second} must be equal")


def _leaf(_: tuple[Node, ...], attributes: tuple[Attribute, ...]) -> Shape:
    shape = attributes[-1]
    assert isinstance(shape, tuple)
    return shape  # type: ignore[return-value]


def _number(_: tuple[Node, ...], __: tuple[Attribute, ...]) -> Shape:
    return ()


def _elementwise(arguments: tuple[Node, ...], _: tuple[Attribute, ...]) -> Shape:
    whole: Shape = ()
    for node in arguments:
        if node.shape and whole and node.shape != whole:
            raise ShapeError(f"{describe(whole)} cannot be combined with {describe(node.shape)}")
        whole = whole or node.shape
    return whole


def _to_scalar(arguments: tuple[Node, ...], _: tuple[Attribute, ...]) -> Shape:
    _need(arguments, *[1] * len(arguments))
    for other in arguments[1:]:
        _same(arguments[0].shape[0], other.shape[0])
    return ()


def _to_vector(arguments: tuple[Node, ...], _: tuple[Attribute, ...]) -> Shape:
    _need(arguments, 1)
    return arguments[0].shape


def _matmul(arguments: tuple[Node, ...], _: tuple[Attribute, ...]) -> Shape:
    left, right = arguments
    if len(left.shape) != 2:
        raise ShapeError(f"the left of a product must be a matrix, but is {describe(left.shape)}")
    if len(right.shape) not in (1, 2):
        raise ShapeError(f"a matrix cannot be multiplied with {describe(right.shape)}")
    _same(left.shape[1], right.shape[0])
    return (left.shape[0], *right.shape[1:])


def _transpose(arguments: tuple[Node, ...], _: tuple[Attribute, ...]) -> Shape:
    _need(arguments, 2)
    return arguments[0].shape[::-1]


def _outer(arguments: tuple[Node, ...], _: tuple[Attribute, ...]) -> Shape:
    _need(arguments, *[1] * len(arguments))
    return tuple(a.shape[0] for a in arguments)


def _concat(arguments: tuple[Node, ...], _: tuple[Attribute, ...]) -> Shape:
    first = arguments[0].shape
    if not first:
        raise ShapeError("a scalar cannot be concatenated")
    total = Dim()
    for node in arguments:
        if node.shape[1:] != first[1:] or len(node.shape) != len(first):
            raise ShapeError(f"{describe(first)} cannot be joined with {describe(node.shape)}")
        total = total + node.shape[0]
    return (total, *first[1:])


def _part(arguments: tuple[Node, ...], attributes: tuple[Attribute, ...]) -> Shape:
    index, sizes = attributes
    assert isinstance(index, int) and isinstance(sizes, tuple)
    whole = Dim()
    for size in sizes:
        assert isinstance(size, Dim)
        whole = whole + size
    _same(arguments[0].shape[0], whole)
    size = sizes[index]
    assert isinstance(size, Dim)
    return (size, *arguments[0].shape[1:])


def _broadcast(arguments: tuple[Node, ...], attributes: tuple[Attribute, ...]) -> Shape:
    _need(arguments, 0)
    shape = attributes[0]
    assert isinstance(shape, tuple)
    return shape  # type: ignore[return-value]


def _bilinear(arguments: tuple[Node, ...], _: tuple[Attribute, ...]) -> Shape:
    _need(arguments, 3, 1, 1)
    rows, first, second = arguments[0].shape
    _same(first, arguments[1].shape[0])
    _same(second, arguments[2].shape[0])
    return (rows,)


def _permute(arguments: tuple[Node, ...], attributes: tuple[Attribute, ...]) -> Shape:
    _need(arguments, 3)
    axes = attributes[0]
    assert isinstance(axes, tuple)
    return tuple(arguments[0].shape[a] for a in axes if isinstance(a, int))


def _said(_: tuple[Node, ...], attributes: tuple[Attribute, ...]) -> Shape:
    shape = attributes[0]
    assert isinstance(shape, tuple)
    return shape  # type: ignore[return-value]


def _gathered(_: tuple[Node, ...], attributes: tuple[Attribute, ...]) -> Shape:
    body = attributes[1]
    assert isinstance(body, Node)
    return body.shape


def _whole(arguments: tuple[Node, ...], _: tuple[Attribute, ...]) -> Shape:
    return arguments[0].shape


_UNARY = (
    "neg abs sign step exp log sqrt sin cos erf tanh sigmoid relu softplus silu gelu "
    "hard_sigmoid hard_tanh"
).split()

_ROWS = [
    # Leaves. Their last attribute is their shape.
    Operation("read", "leaf", (0, 0), _leaf),  # attributes: name, index, shape
    Operation("parameter", "leaf", (0, 0), _leaf),  # name, shape
    Operation(
        "labelled", "leaf", (0, 0), _leaf
    ),  # name, label, shape: W[r], chosen by an edge's label
    Operation("constant", "leaf", (0, 0), _number),  # name; the value is the system's
    Operation("number", "leaf", (0, 0), _number),  # value
    # Element by element; a scalar goes with any shape.
    *[Operation(name, "elementwise", (1, 1), _elementwise) for name in _UNARY],
    Operation("add", "elementwise", (2, 2), _elementwise, commutative=True),
    Operation("sub", "elementwise", (2, 2), _elementwise),
    Operation("mul", "elementwise", (2, 2), _elementwise, commutative=True),
    Operation("div", "elementwise", (2, 2), _elementwise),
    Operation("pow", "elementwise", (2, 2), _elementwise),
    Operation("maximum", "elementwise", (2, 2), _elementwise, commutative=True),
    Operation("minimum", "elementwise", (2, 2), _elementwise, commutative=True),
    Operation(
        "greater", "elementwise", (2, 2), _elementwise
    ),  # 1 where a > b, 1/2 where equal, else 0
    # A vector to a scalar.
    Operation("sum", "reduction", (1, 1), _to_scalar),
    Operation("mean", "reduction", (1, 1), _to_scalar),
    Operation("largest", "reduction", (1, 1), _to_scalar),
    Operation("smallest", "reduction", (1, 1), _to_scalar),
    Operation("dot", "reduction", (2, 2), _to_scalar, commutative=True),
    Operation("inverse_std", "reduction", (1, 1), _to_scalar),  # 1 / sqrt(variance + epsilon)
    # A vector to a vector.
    Operation("softmax", "vector", (1, 1), _to_vector),
    Operation("norm", "vector", (1, 1), _to_vector),  # (v - mean) / sqrt(variance + epsilon)
    Operation(
        "is_largest", "vector", (1, 1), _to_vector
    ),  # 1 / (number of ties) at the largest, else 0
    # Linear in every argument.
    Operation("matmul", "linear", (2, 2), _matmul),
    Operation("transpose", "linear", (1, 1), _transpose),
    Operation("outer", "linear", (2, 3), _outer),
    Operation("concat", "linear", (1, 1000), _concat),  # along the first dimension
    Operation("part", "linear", (1, 1), _part),  # index, sizes: the index-th of the joined pieces
    Operation("broadcast", "linear", (1, 1), _broadcast),  # shape: a scalar in every element
    Operation("bilinear", "linear", (3, 3), _bilinear),  # out[i] = sum_jk V[i, j, k] a[j] b[k]
    Operation("permute", "linear", (1, 1), _permute),  # axes, of a third-order array
    # Over steps or children.
    Operation("total", "over", (1, 1), _whole),  # the sum over all steps (and sequences)
    Operation("first", "over", (1, 1), _whole),  # the value at step 1 (summed over sequences)
    Operation("sum_children", "over", (1, 1), _whole),  # the sum over the children k of node n
    # The sum over the nodes p that n is a child of. Attribute: the slot that n has to be in, or ""
    # for any. Inside, `n` is the parent and `k` the child, as in every expression of an edge.
    Operation("sum_parents", "over", (1, 1), _whole),
    # What back ends make of sums over edges. Attributes: over which rows (`k` children, `p`
    # parents, `p left` those that have the row in this slot), the body, and how many arguments are
    # the row's own; the others are read at each of the rows. The body's leaves `hole` stand for
    # arguments.
    Operation("gathered", "internal", (0, 1000), _gathered),
    Operation("hole", "internal", (0, 0), _leaf),  # number of the argument, shape
    # What back ends make of `bilinear`: a matrix times all products of two elements. Attribute: the
    # shape, with a number for what is a product of two sizes.
    Operation("flatten", "internal", (1, 1), _said),  # out[i, j K + k] = V[i, j, k]
    Operation("kron", "internal", (2, 2), _said),  # out[j K + k] = a[j] b[k]
    # The sum over all edges with a label, for each label: the gradient of W[r].
    Operation("total_labelled", "over", (1, 1), _whole),
]

OPERATIONS: dict[str, Operation] = {row.name: row for row in _ROWS}
"""Every operation by its name."""

EPSILON = 1e-5
"""What `norm` and `inverse_std` add to the variance, as torch.nn.LayerNorm does."""
