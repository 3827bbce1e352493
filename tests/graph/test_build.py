"""Making nodes: shapes are inferred, and what does not fit is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cellwise.errors import ShapeError
from cellwise.graph import build as g
from cellwise.graph.build import build, number, parameter, read
from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Node

H, X = Dim.of("h"), Dim.of("x")
s, h, x = read("s", "t", ()), read("h", "t", (H,)), read("x", "t", (X,))
W, U, V = parameter("W", (H, H)), parameter("U", (H, X)), parameter("V", (H, X, H))

SHAPES: list[tuple[Node, Shape]] = [
    (g.add(h, s, number(1)), (H,)),
    (g.sub(s, h), (H,)),
    (g.mul(W, s), (H, H)),
    (g.div(s, number(2)), ()),
    (g.neg(h), (H,)),
    (g.matmul(U, x), (H,)),
    (g.matmul(W, U), (H, X)),
    (g.transpose(U), (X, H)),
    (g.outer(h, x), (H, X)),
    (g.outer(h, x, h), (H, X, H)),
    (g.concat(h, x), (H + X,)),
    (g.concat(U, U), (H + H, X)),
    (g.part(g.concat(h, x), 1, (H, X)), (X,)),
    (g.broadcast(s, (H, X)), (H, X)),
    (g.broadcast(s, ()), ()),
    (g.total(h), (H,)),
    (build("sum", h), ()),
    (build("dot", h, h), ()),
    (build("softmax", h), (H,)),
    (build("bilinear", V, x, h), (H,)),
    (build("permute", V, attributes=((1, 2, 0),)), (X, H, H)),
    (g.constant("a"), ()),
]


@pytest.mark.parametrize(("node", "shape"), SHAPES)
def test_shapes(node, shape):
    assert node.shape == shape


REFUSED: list[tuple[Callable[[], Node], str]] = [
    (
        lambda: g.add(h, x),
        "a vector of size h cannot be combined with a vector of size x",
    ),
    (lambda: g.matmul(U, h), "sizes x and h must be equal"),
    (lambda: g.matmul(h, h), "the left of a product must be a matrix, but is a vector of size h"),
    (lambda: g.matmul(W, s), "a matrix cannot be multiplied with a scalar"),
    (lambda: g.transpose(h), "argument 1 must be a matrix, but is a vector of size h"),
    (lambda: build("sum", s), "argument 1 must be a vector, but is a scalar"),
    (lambda: build("dot", h, x), "sizes h and x must be equal"),
    (lambda: build("norm", W), "argument 1 must be a vector, but is a matrix of size h by h"),
    (
        lambda: build("bilinear", W, h, h),
        "argument 1 must be a third-order array, but is a matrix of size h by h",
    ),
    (lambda: g.concat(s, h), "a scalar cannot be concatenated"),
    (
        lambda: g.concat(h, U),
        "a vector of size h cannot be joined with a matrix of size h by x",
    ),
    (lambda: g.part(h, 0, (H, X)), "sizes h and h + x must be equal"),
    (lambda: build("tanh", h, h), "'tanh' takes 1 arguments, but 2 are given"),
    (lambda: build("outer", h), "'outer' takes 2 to 3 arguments, but 1 are given"),
]


@pytest.mark.parametrize(("make", "cause"), REFUSED)
def test_what_does_not_fit_is_refused(make, cause):
    with pytest.raises(ShapeError) as caught:
        make()
    assert cause in str(caught.value)


def test_what_varies():
    assert h.varies
    assert g.matmul(W, h).varies
    assert not g.add(W, number(1)).varies
    assert not g.total(h).varies
    assert not build("first", h).varies


def test_remake_keeps_what_is_the_same():
    node = g.part(g.concat(h, h), 1, (H, H))
    assert g.remake(node, node.arguments) is node
    assert g.remake(node, [g.concat(h, g.neg(h))]).attributes == node.attributes
