"""Every rewrite rule keeps the value, and the results read as they should."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch

from cellwise.autodiff.rules import spread
from cellwise.equation import read_system, show
from cellwise.errors import ShapeError
from cellwise.graph.build import broadcast, build, concat, number, part, read
from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Node
from cellwise.graph.system import Equation, System
from cellwise.passes.pattern import Pattern
from cellwise.passes.simplify import ROWS, Row, simplify
from tests.evaluate import Feed, evaluate
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
N = Dim.of("n")
SHAPES: tuple[Shape, ...] = ((), (N,), (N, N))


def names_in(pattern: Pattern) -> set[str]:
    inner = [names_in(a) for a in pattern.arguments]
    return {pattern.name}.union(*inner) - {""}


def instance(pattern: Pattern, leaves: dict[str, Node]) -> Node:
    """A node of the pattern's form; `broadcast` gets the size n."""
    if pattern.operation == "number":
        return number(pattern.value)
    if not pattern.operation:
        return leaves[pattern.name]
    arguments = [instance(a, leaves) for a in pattern.arguments]
    if pattern.operation == "broadcast":
        return broadcast(arguments[0], (N,))
    if pattern.operation == "total":
        return arguments[0]  # within a step, its rules are those of a sum of one term
    return build(pattern.operation, *arguments)


def instances(row: Row) -> Iterator[Node]:
    """The row's pattern with leaves of all shapes that fit."""
    names = sorted(names_in(row.pattern))
    for shapes in product(SHAPES, repeat=len(names)):
        leaves = {name: read(name, "t", s) for name, s in zip(names, shapes, strict=True)}
        try:
            yield instance(row.pattern, leaves)
        except ShapeError:
            continue


def value(node: Node) -> np.ndarray:
    """The value on random data, the same for the same name."""
    system, sizes = System((Equation("y", "t", node),), "y"), {"n": 3, "m": 2}
    feed = {}
    for name in system.inputs:
        shape = [size.evaluate(sizes) for size in system.shape_of(name)]
        feed[name] = 0.5 + np.random.default_rng(ord(name)).random((1, *shape))
    return evaluate(system, Feed(1, feed, sizes=sizes)).signals["y"]


def simplified(node: Node) -> Node:
    return simplify(System((Equation("y", "t", node),), "y")).equations[0].value


@pytest.mark.parametrize("place", range(len(ROWS)))
def test_each_row_keeps_the_value(place):
    found = list(instances(ROWS[place]))
    assert found
    for node in found:
        simpler = simplified(node)
        assert simpler.shape == node.shape
        np.testing.assert_allclose(value(simpler), value(node), **EXACT)


A, B, S = (read(name, "t", shape) for name, shape in (("a", (N,)), ("b", (N,)), ("s", ())))
ZERO = broadcast(number(0), (N,))
E = read("e", "t", (N + Dim.of("m"),))
SIZES = (N, Dim.of("m"))
CUBE = read("v", "t", (N, N, N))


def permute(node: Node, *axes: int) -> Node:
    return build("permute", node, attributes=(axes,))


SIMPLER = [
    (build("add", A, number(0)), A),
    (build("add", S, ZERO), spread(S, (N,))),
    (build("mul", A, number(0)), ZERO),
    (build("mul", build("neg", A), B), build("neg", build("mul", A, B))),
    (build("add", build("neg", A), B), build("sub", B, A)),
    (build("sub", number(0), A), build("neg", A)),
    (build("add", A, build("add", B, A)), build("add", build("add", A, B), A)),
    (build("mul", number(2), number(3)), number(6)),
    (build("div", number(1), number(0)), build("div", number(1), number(0))),
    (build("pow", number(1e300), number(2)), build("pow", number(1e300), number(2))),
    (build("log", number(-1)), build("log", number(-1))),
    (build("mul", broadcast(S, (N,)), A), build("mul", S, A)),
    (build("tanh", broadcast(S, (N,))), broadcast(build("tanh", S), (N,))),
    (build("sum", build("mul", A, S)), build("mul", build("sum", A), S)),
    (build("sum", ZERO), number(0)),
    (concat(ZERO, ZERO), broadcast(number(0), (N + N,))),
    (part(concat(A, B), 1, (N, N)), B),
    (concat(part(E, 0, SIZES), part(E, 1, SIZES)), E),
    (build("add", concat(A, ZERO), concat(ZERO, B)), concat(A, B)),
    (permute(CUBE, 0, 1, 2), CUBE),
    (permute(permute(CUBE, 1, 2, 0), 2, 0, 1), CUBE),
    (permute(permute(CUBE, 1, 0, 2), 2, 0, 1), permute(CUBE, 2, 1, 0)),
]


@pytest.mark.parametrize(("node", "simpler"), SIMPLER)
def test_becomes(node, simpler):
    assert simplified(node) is simpler
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(value(simpler), value(node), **EXACT)


KEPT = [
    concat(part(E, 1, SIZES), part(E, 0, SIZES)),
    part(concat(A, B), 0, (N + N,)),
    build("add", concat(A, ZERO), concat(B, ZERO)),
    build("add", concat(A, ZERO), concat(B, A)),
    build("mul", A, build("mul", S, S)),
]


@pytest.mark.parametrize("node", KEPT)
def test_stays(node):
    assert simplified(node) is node


def test_comments_and_places_stay():
    system = read_system("h[t] = 1 * tanh(x[t] + 0)  # the state")
    simpler = simplify(system)
    assert show(simpler) == "h[t] = tanh(x[t])  # the state"
    assert simpler.equations[0].span == system.equations[0].span
    assert simpler.spans[simpler.equations[0].value] is not None


def test_is_done_once_for_all():
    system = read_system("h[t] = (0 - -(x[t] * 1)) + (x[t] - (x[t] - h[t-1]))")
    simpler = simplify(system)
    assert simplify(simpler) == simpler
