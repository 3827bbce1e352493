"""The derivative of every operation, once: its tangent and, where it is linear, its transpose.

Reverse mode needs nothing else: a system is linearised with `jvp`, and the linear operations that
come out are transposed one by one. Rules prefer the operation's own value (`tanh' = 1 - y**2` with
y the node itself), because a derived system reads it from the forward sweep where it has a name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cellwise.graph import build as g
from cellwise.graph.build import add, build, div, matmul, mul, neg, number, outer, sub, transpose
from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Node

Tangents = Sequence[Node | None]
Jvp = Callable[[Node, Tangents], Node | None]
Transpose = Callable[[Node, int, Node], Node]


@dataclass(frozen=True, slots=True)
class Rule:
    """The derivative of one operation.

    Attributes:
        jvp: `jvp(node, tangents)` is the node's tangent, linear in its arguments' tangents, each of
            its argument's shape; None stands for zero.
        transpose: `transpose(node, position, cotangent)` is the cotangent of the argument at
            `position`, in which the node is linear; None if the operation is linear in none.
    """

    jvp: Jvp
    transpose: Transpose | None = None


def zeros(shape: Shape) -> Node:
    """Zero in every element."""
    return g.broadcast(number(0), shape)


def spread(a: Node, shape: Shape) -> Node:
    """A scalar in every element of `shape`; what has the shape already stays."""
    return a if a.shape == shape else g.broadcast(a, shape)


def gather(a: Node, shape: Shape) -> Node:
    """The transpose of `spread`: the sum of all elements where `shape` is a scalar's."""
    if a.shape == shape:
        return a
    if len(a.shape) == 2:
        a = matmul(a, _ones(a.shape[1:]))
    if len(a.shape) == 3:
        a = build("bilinear", a, _ones(a.shape[1:2]), _ones(a.shape[2:]))
    return build("sum", a)


def _ones(shape: Shape) -> Node:
    return g.broadcast(number(1), shape)


def _plus(*terms: Node | None) -> Node | None:
    present = [term for term in terms if term is not None]
    return add(*present) if present else None


# Leaves and steps: nothing moves. Drivers give leaves their tangents.


def _none(node: Node, tangents: Tangents) -> Node | None:
    return None


# Operations that are linear in their only argument.


def _same(node: Node, tangents: Tangents) -> Node | None:
    return None if tangents[0] is None else g.remake(node, [tangents[0]])


def _linear(transposed: Callable[[Node, Node], Node]) -> Rule:
    return Rule(_same, lambda node, _, cotangent: transposed(node, cotangent))


def _mean_transposed(node: Node, cotangent: Node) -> Node:
    # softmax(0) is 1/n in each of the n elements
    return mul(cotangent, build("softmax", zeros(node.arguments[0].shape)))


def _part_transposed(node: Node, cotangent: Node) -> Node:
    index, sizes = node.attributes
    assert isinstance(sizes, tuple)
    rest = node.shape[1:]
    pieces = [zeros((size, *rest)) for size in sizes if isinstance(size, Dim)]
    pieces[int(str(index))] = cotangent
    return g.concat(*pieces)


def _permute_transposed(node: Node, cotangent: Node) -> Node:
    axes = node.attributes[0]
    assert isinstance(axes, tuple)
    return _permute(cotangent, *(axes.index(position) for position in range(3)))


def _permute(a: Node, *axes: int) -> Node:
    return build("permute", a, attributes=(axes,))


# Operations that are linear in each of several arguments.


def _each(node: Node, tangents: Tangents) -> Node | None:
    """The product rule: one term for each argument that moves."""
    terms = []
    for position, tangent in enumerate(tangents):
        if tangent is not None:
            arguments = [*node.arguments]
            arguments[position] = tangent
            terms.append(g.remake(node, arguments))
    return _plus(*terms)


def _mul_transposed(node: Node, position: int, cotangent: Node) -> Node:
    mine, other = node.arguments[position], node.arguments[1 - position]
    if mine.shape == () and len(cotangent.shape) == 1 and other.shape == cotangent.shape:
        return build("dot", cotangent, other)
    return gather(mul(cotangent, other), mine.shape)


def _dot_transposed(node: Node, position: int, cotangent: Node) -> Node:
    return mul(cotangent, node.arguments[1 - position])


def _matmul_transposed(node: Node, position: int, cotangent: Node) -> Node:
    left, right = node.arguments
    if position == 1:
        return matmul(transpose(left), cotangent)
    return outer(cotangent, right) if len(right.shape) == 1 else matmul(cotangent, transpose(right))


def _outer_transposed(node: Node, position: int, cotangent: Node) -> Node:
    others = [a for i, a in enumerate(node.arguments) if i != position]
    if len(others) == 1:
        return matmul(cotangent if position == 0 else transpose(cotangent), others[0])
    axes = [position, *(i for i in range(3) if i != position)]
    return build("bilinear", _permute(cotangent, *axes) if position else cotangent, *others)


def _bilinear_transposed(node: Node, position: int, cotangent: Node) -> Node:
    cube, a, b = node.arguments
    if position == 0:
        return outer(cotangent, a, b)
    if position == 1:
        return build("bilinear", _permute(cube, 1, 0, 2), cotangent, b)
    return build("bilinear", _permute(cube, 2, 0, 1), cotangent, a)


def _concat(node: Node, tangents: Tangents) -> Node | None:
    if all(tangent is None for tangent in tangents):
        return None
    pairs = zip(tangents, node.arguments, strict=True)
    return g.concat(*(zeros(a.shape) if tangent is None else tangent for tangent, a in pairs))


def _concat_transposed(node: Node, position: int, cotangent: Node) -> Node:
    return g.part(cotangent, position, [a.shape[0] for a in node.arguments])


# Element by element, two arguments.


def _add(node: Node, tangents: Tangents) -> Node | None:
    whole = _plus(*tangents)
    return None if whole is None else spread(whole, node.shape)


def _add_transposed(node: Node, position: int, cotangent: Node) -> Node:
    return gather(cotangent, node.arguments[position].shape)


def _sub(node: Node, tangents: Tangents) -> Node | None:
    a_dot, b_dot = tangents
    if b_dot is None:
        return None if a_dot is None else spread(a_dot, node.shape)
    return spread(neg(b_dot) if a_dot is None else sub(a_dot, b_dot), node.shape)


def _sub_transposed(node: Node, position: int, cotangent: Node) -> Node:
    return _add_transposed(node, position, neg(cotangent) if position else cotangent)


def _div(node: Node, tangents: Tangents) -> Node | None:
    # (a/b)' = (a' - y b') / b
    a_dot, b_dot = tangents
    slope = None if b_dot is None else mul(node, b_dot)
    if slope is None:
        return None if a_dot is None else div(a_dot, node.arguments[1])
    return div(neg(slope) if a_dot is None else sub(a_dot, slope), node.arguments[1])


def _div_transposed(node: Node, position: int, cotangent: Node) -> Node:
    assert position == 0, "a quotient is linear in its numerator only"
    return gather(div(cotangent, node.arguments[1]), node.arguments[0].shape)


def _pow(node: Node, tangents: Tangents) -> Node | None:
    a, b = node.arguments
    a_dot, b_dot = tangents
    terms = [None if a_dot is None else _scaled(_pow_slope(a, b), a_dot)]
    if b_dot is not None:
        # y log(a) b', and 0 where a = 0: there the logarithm is taken of 1
        is_zero = sub(number(1), build("step", build("abs", a)))
        terms.append(mul(mul(node, build("log", add(a, is_zero))), b_dot))
    return _plus(*terms)


def _pow_slope(a: Node, b: Node) -> Node | None:
    """b a**(b-1), without the power where b is a literal that makes it superfluous.

    Where a and b are 0 the slope is: 0 times a power of 0 that is not infinite.
    """
    if b.operation != "number":
        one_unless_zeros = build("step", add(build("abs", a), build("abs", b)))
        return mul(b, build("pow", a, sub(b, one_unless_zeros)))
    power = float(str(b.attributes[0]))
    if power == 0:
        return None
    if power == 1:
        return spread(number(1), a.shape)
    return mul(b, a if power == 2 else build("pow", a, number(power - 1)))


def _scaled(slope: Node | None, tangent: Node) -> Node | None:
    return None if slope is None else mul(slope, tangent)


def _choice(first: Callable[[Node, Node], Node], second: Callable[[Node, Node], Node]) -> Rule:
    """The larger or smaller of two: the one taken moves the result; equal ones, half each."""

    def jvp(node: Node, tangents: Tangents) -> Node | None:
        slopes = (first(*node.arguments), second(*node.arguments))
        pairs = zip(slopes, tangents, strict=True)
        return _plus(*(None if tangent is None else mul(s, tangent) for s, tangent in pairs))

    return Rule(jvp)


def _greater(a: Node, b: Node) -> Node:
    return build("greater", a, b)


# Element by element, one argument: the slope in terms of the argument a and the value y.


def _slope(of: Callable[[Node, Node], Node]) -> Rule:
    def jvp(node: Node, tangents: Tangents) -> Node | None:
        (tangent,) = tangents
        return None if tangent is None else mul(of(node.arguments[0], node), tangent)

    return Rule(jvp)


def _quotient(of: Callable[[Node, Node], Node]) -> Rule:
    """Like `_slope`, for a slope that is one over something."""

    def jvp(node: Node, tangents: Tangents) -> Node | None:
        (tangent,) = tangents
        return None if tangent is None else div(tangent, of(node.arguments[0], node))

    return Rule(jvp)


def _one_minus(y: Node) -> Node:
    return sub(number(1), y)


def _silu_slope(a: Node, y: Node) -> Node:
    s = build("sigmoid", a)
    return add(s, mul(y, _one_minus(s)))


def _gelu_slope(a: Node, y: Node) -> Node:
    below = mul(number(0.5), add(number(1), build("erf", mul(number(math.sqrt(0.5)), a))))
    density = mul(number(1 / math.sqrt(2 * math.pi)), build("exp", mul(number(-0.5), mul(a, a))))
    return add(below, mul(a, density))


def _erf_slope(a: Node, y: Node) -> Node:
    return mul(number(2 / math.sqrt(math.pi)), build("exp", neg(mul(a, a))))


def _within(a: Node, low: float, high: float) -> Node:
    return mul(build("step", sub(a, number(low))), build("step", sub(number(high), a)))


# A whole vector.


def _largest(of: Callable[[Node], Node]) -> Rule:
    def jvp(node: Node, tangents: Tangents) -> Node | None:
        (tangent,) = tangents
        where = build("is_largest", of(node.arguments[0]))
        return None if tangent is None else build("dot", where, tangent)

    return Rule(jvp)


def _softmax(y: Node, tangents: Tangents) -> Node | None:
    (v_dot,) = tangents
    return None if v_dot is None else mul(y, sub(v_dot, build("dot", y, v_dot)))


def _norm(y: Node, tangents: Tangents) -> Node | None:
    # y' = s (v' - mean(v') - y mean(y v'))
    (v_dot,) = tangents
    if v_dot is None:
        return None
    centred = sub(v_dot, build("mean", v_dot))
    along = mul(y, build("mean", mul(y, v_dot)))
    return mul(build("inverse_std", y.arguments[0]), sub(centred, along))


def _inverse_std(s: Node, tangents: Tangents) -> Node | None:
    # s' = -s**2 mean(norm(v) v')
    (v_dot,) = tangents
    if v_dot is None:
        return None
    return neg(mul(mul(s, s), build("mean", mul(build("norm", s.arguments[0]), v_dot))))


_LEAVES = ("read", "parameter", "labelled", "constant", "number")

RULES: dict[str, Rule] = {
    **{name: Rule(_none) for name in _LEAVES},
    **{name: Rule(_none) for name in ("sign", "step", "greater", "is_largest")},
    # linear in one argument
    "neg": _linear(lambda _, d: neg(d)),
    "transpose": _linear(lambda _, d: transpose(d)),
    "sum": _linear(lambda node, d: g.broadcast(d, node.arguments[0].shape)),
    "mean": _linear(_mean_transposed),
    "broadcast": _linear(lambda _, d: gather(d, ())),
    "part": _linear(_part_transposed),
    "permute": _linear(_permute_transposed),
    # The sum over steps or children: each gets the whole's cotangent.
    "total": _linear(lambda _, d: d),
    "total_labelled": _linear(lambda _, d: d),
    "sum_children": _linear(lambda _, d: d),
    "sum_parents": _linear(lambda _, d: d),
    "first": Rule(_same),
    # linear in each argument
    "add": Rule(_add, _add_transposed),
    "sub": Rule(_sub, _sub_transposed),
    "mul": Rule(_each, _mul_transposed),
    "dot": Rule(_each, _dot_transposed),
    "matmul": Rule(_each, _matmul_transposed),
    "outer": Rule(_each, _outer_transposed),
    "bilinear": Rule(_each, _bilinear_transposed),
    "concat": Rule(_concat, _concat_transposed),
    "div": Rule(_div, _div_transposed),
    # element by element
    "abs": _slope(lambda a, y: build("sign", a)),
    "exp": _slope(lambda a, y: y),
    "log": _quotient(lambda a, y: a),
    "sqrt": _quotient(lambda a, y: mul(number(2), y)),
    "sin": _slope(lambda a, y: build("cos", a)),
    "cos": _slope(lambda a, y: neg(build("sin", a))),
    "erf": _slope(_erf_slope),
    "tanh": _slope(lambda a, y: _one_minus(build("pow", y, number(2)))),
    "sigmoid": _slope(lambda a, y: mul(y, _one_minus(y))),
    "relu": _slope(lambda a, y: build("step", a)),
    "softplus": _slope(lambda a, y: build("sigmoid", a)),
    "silu": _slope(_silu_slope),
    "gelu": _slope(_gelu_slope),
    "hard_sigmoid": _slope(lambda a, y: div(_within(a, -3, 3), number(6))),
    "hard_tanh": _slope(lambda a, y: _within(a, -1, 1)),
    "pow": Rule(_pow),
    "maximum": _choice(_greater, lambda a, b: _greater(b, a)),
    "minimum": _choice(lambda a, b: _greater(b, a), _greater),
    # a whole vector
    "largest": _largest(lambda v: v),
    "smallest": _largest(neg),
    "softmax": Rule(_softmax),
    "norm": Rule(_norm),
    "inverse_std": Rule(_inverse_std),
}
"""The rule of every operation."""
