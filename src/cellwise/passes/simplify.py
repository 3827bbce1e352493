"""Simplify: rewrite rules, one identity a row, applied until none fits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cellwise.autodiff.rules import spread, zeros
from cellwise.graph.build import broadcast, build, concat, number, remake
from cellwise.graph.node import Node
from cellwise.graph.operations import OPERATIONS
from cellwise.graph.system import System
from cellwise.graph.transform import rewrite_system
from cellwise.passes.pattern import Bound, Pattern, anything, apply, make, matches

Guard = Callable[[Node, Bound], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """`pattern -> result`, where `guard` allows it; `ordered`: with no operands swapped."""

    pattern: Pattern
    result: Pattern
    guard: Guard = lambda node, bound: True
    ordered: bool = False


def _flat(node: Node, bound: Bound) -> bool:
    """Both inner operands are as large as the whole, and not computed once for all steps."""
    b, c = bound["b"], bound["c"]
    return b.shape == c.shape == node.shape and (b.varies or c.varies or not bound["a"].varies)


def _scalar_s(node: Node, bound: Bound) -> bool:
    return bound["s"].shape == ()


def _size_of_a(node: Node, bound: Bound) -> bool:
    return bound["a"].shape == node.shape and ("s" not in bound or bound["s"].shape == ())


def _vectors(node: Node, bound: Bound) -> bool:
    return len(bound["a"].shape) == len(bound["b"].shape) == 1


a, b, c, s = (anything(name) for name in "abcs")
ZERO = Pattern("number", value=0.0)
UNIFORM = apply("softmax", apply("broadcast", 0))  # 1/n in each element

ROWS = (
    # neutral elements
    Row(a + 0, a),  # x+0 -> x
    Row(a - 0, a),  # x-0 -> x
    Row(0 - a, -a),  # 0-x -> -x
    Row(a * 1, a),  # x*1 -> x
    Row(a / 1, a),  # x/1 -> x
    Row(a**1, a),  # x**1 -> x
    # a literal zero is no result of rounding, it says "does not depend on": so 0*inf, 0*nan are 0
    Row(a * 0, ZERO),  # x*0 -> 0
    Row(0 / a, ZERO),  # 0/x -> 0
    # signs go outwards, where sums take them up
    Row(apply("neg", -a), a),  # -(-x) -> x
    Row(a * -1, -a),  # x*(-1) -> -x
    Row(-a * b, -(a * b)),  # (-x)*y -> -(x*y)
    Row(-a / b, -(a / b)),  # (-x)/y -> -(x/y)
    Row(a / -b, -(a / b)),  # x/(-y) -> -(x/y)
    Row(a + -b, a - b),  # x+(-y) -> x-y
    Row(a - -b, a + b),  # x-(-y) -> x+y
    Row(-a - b, -(a + b)),  # -x-y -> -(x+y)
    Row(-(a - b), b - a),  # -(x-y) -> y-x
    Row(a @ -b, -(a @ b)),  # W(-x) -> -(Wx)
    Row(apply("outer", -a, b), -apply("outer", a, b)),  # outer(-x, y) -> -outer(x, y)
    Row(apply("outer", a, -b), -apply("outer", a, b)),  # outer(x, -y) -> -outer(x, y)
    Row(apply("dot", -a, b), -apply("dot", a, b)),  # dot(-x, y) -> -dot(x, y)
    Row(apply("transpose", -a), -apply("transpose", a)),  # (-x).T -> -(x.T)
    Row(apply("sum", -a), -apply("sum", a)),  # sum(-x) -> -sum(x)
    Row(apply("mean", -a), -apply("mean", a)),  # mean(-x) -> -mean(x)
    Row(apply("total", -a), -apply("total", a)),  # total(-x) -> -total(x)
    # sums and products from the left, so that they print without brackets
    Row(a + (b + c), a + b + c, _flat, True),  # x+(y+z) -> x+y+z
    Row(a + (b - c), a + b - c, _flat, True),  # x+(y-z) -> x+y-z
    Row(a - (b + c), a - b - c, _flat, True),  # x-(y+z) -> x-y-z
    Row(a - (b - c), a - b + c, _flat, True),  # x-(y-z) -> x-y+z
    Row(a * (b * c), a * b * c, _flat, True),  # x*(y*z) -> x*y*z
    # common factors
    Row(a * b + a * c, a * (b + c)),  # x*y+x*z -> x*(y+z)
    Row(a * b - a * c, a * (b - c)),  # x*y-x*z -> x*(y-z)
    # reductions
    Row(apply("sum", a * b), apply("dot", a, b), _vectors),  # sum(x*y) -> dot(x, y)
    Row(apply("sum", a * s), apply("sum", a) * s, _scalar_s),  # sum(x*s) -> sum(x)*s
    Row(apply("mean", a * s), apply("mean", a) * s, _scalar_s),  # mean(x*s) -> mean(x)*s
    Row(apply("mean", apply("broadcast", s)), s),  # mean(broadcast(s)) -> s
    Row(apply("sum", a) * UNIFORM, apply("mean", a), _size_of_a),  # sum(x)/n -> mean(x)
    Row(apply("sum", a) * s * UNIFORM, apply("mean", a) * s, _size_of_a),
    Row(apply("dot", a, b) * UNIFORM, apply("mean", a * b), _size_of_a),  # dot(x, y)/n -> mean(x*y)
    Row(apply("dot", a, b) * s * UNIFORM, apply("mean", a * b) * s, _size_of_a),
    # matrices
    Row(apply("transpose", apply("transpose", a)), a),  # x.T.T -> x
)
"""The table. What a row gives for an array is spread to the array's shape if it is a scalar."""


def simplify(system: System) -> System:
    """The system with simpler expressions of the same values, up to rounding."""
    while True:
        simpler = rewrite_system(system, _step)
        if simpler == system:
            return simpler
        system = simpler


def _step(node: Node, arguments: tuple[Node, ...]) -> Node:
    node = remake(node, arguments)
    for rule in (_fold, _zero, _inner_broadcast, _pieces, _permutations, _table):
        found = rule(node)
        if found is not None:
            return spread(found, node.shape)
    return node


_BY_OPERATION: dict[str, list[Row]] = {}
for _row in ROWS:
    _BY_OPERATION.setdefault(_row.pattern.operation, []).append(_row)


def _table(node: Node) -> Node | None:
    for row in _BY_OPERATION.get(node.operation, ()):
        for bound in matches(row.pattern, node, ordered=row.ordered):
            if row.guard(node, bound):
                return make(row.result, bound)
    return None


_FOLD: dict[str, Callable[..., float]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": math.pow,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
}


def _fold(node: Node) -> Node | None:
    """An operation on numbers is a number, unless it has no finite value."""
    if node.operation not in _FOLD or any(x.operation != "number" for x in node.arguments):
        return None
    try:
        value = _FOLD[node.operation](*(float(str(x.attributes[0])) for x in node.arguments))
    except (ArithmeticError, ValueError):
        return None  # left as it is written
    return number(value) if math.isfinite(value) else None


_ZERO_KEEPING = frozenset(
    (
        "neg sum mean dot matmul transpose outer bilinear permute part sum_children sum_parents"
    ).split()
)


def is_zero(node: Node) -> bool:
    """Whether the node is a literal zero in every element."""
    if node.operation == "broadcast":
        node = node.arguments[0]
    return node.operation == "number" and node.attributes[0] == 0


def _zero(node: Node) -> Node | None:
    """A product with zeros, a sum of zeros, joined zeros: zeros."""
    zero = [is_zero(x) for x in node.arguments]
    if node.operation in _ZERO_KEEPING and any(zero):
        return zeros(node.shape)
    return zeros(node.shape) if node.operation == "concat" and all(zero) else None


def _inner_broadcast(node: Node) -> Node | None:
    """Element by element, a scalar need not be broadcast; among scalars alone, it is done last."""
    spread_out = [x.operation == "broadcast" for x in node.arguments]
    if OPERATIONS[node.operation].kind != "elementwise" or not any(spread_out):
        return None
    pairs = zip(node.arguments, spread_out, strict=True)
    scalars = [x.arguments[0] if out else x for x, out in pairs]
    return broadcast_to(build(node.operation, *scalars), node)


def broadcast_to(value: Node, like: Node) -> Node:
    """`value`, in every element of an array of the shape of `like` if it is a scalar."""
    return value if value.shape == like.shape else broadcast(value, like.shape)


def _pieces(node: Node) -> Node | None:
    if node.operation == "part":
        return _part_of_joined(node)
    if node.operation == "concat":
        return _joined_parts(node)
    return _sum_of_joined(node) if node.operation == "add" else None


def _part_of_joined(node: Node) -> Node | None:
    """part([a, b], 1) -> b."""
    (whole,) = node.arguments
    index, sizes = node.attributes
    if whole.operation != "concat" or sizes != tuple(x.shape[0] for x in whole.arguments):
        return None
    return whole.arguments[int(str(index))]


def _joined_parts(node: Node) -> Node | None:
    """[part(a, 0), part(a, 1)] -> a."""
    first = node.arguments[0]
    if first.operation != "part":
        return None
    whole, sizes = first.arguments[0], first.attributes[1]
    assert isinstance(sizes, tuple)
    every = [build("part", whole, attributes=(i, sizes)) for i in range(len(sizes))]
    return whole if list(node.arguments) == every else None


def _sum_of_joined(node: Node) -> Node | None:
    """[a, 0] + [0, b] -> [a, b]."""
    one, two = (x.arguments if x.operation == "concat" else () for x in node.arguments)
    if not one or [x.shape for x in one] != [x.shape for x in two]:
        return None
    pairs = list(zip(one, two, strict=True))
    if not all(is_zero(x) or is_zero(y) for x, y in pairs):
        return None
    return concat(*(y if is_zero(x) else x for x, y in pairs))


def _permutations(node: Node) -> Node | None:
    """Permutations of axes in a row are one, and none if it leaves all axes in place."""
    if node.operation != "permute":
        return None
    (inner,), axes = node.arguments, node.attributes[0]
    assert isinstance(axes, tuple)
    if axes == (0, 1, 2):
        return inner
    if inner.operation != "permute":
        return None
    before = inner.attributes[0]
    assert isinstance(before, tuple)
    together = tuple(before[i] for i in axes if isinstance(i, int))
    return build("permute", inner.arguments[0], attributes=(together,))
