"""Every way in which a system can be ill-formed is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cellwise.equation import read_system
from cellwise.graph.build import add, build, concat, constant, neg, number, parameter, read, total
from cellwise.graph.dimension import Dim
from cellwise.graph.node import Node, intern
from cellwise.graph.system import Equation, System
from cellwise.graph.verify import IllFormedError, verify
from tests.samples import SAMPLES

H, X = (Dim.of("h"),), (Dim.of("x"),)
h_before, x, g = read("h", "t-1", H), read("x", "t", H), read("g", "t", H)
GOOD = System((Equation("g", "t", neg(x)), Equation("h", "t", add(g, h_before))), "h")


def lines(*pairs: tuple[str, Node]) -> System:
    return replace(GOOD, equations=tuple(Equation(name, "t", value) for name, value in pairs))


def with_total(value: Node) -> System:
    return replace(GOOD, totals=(Equation("d_b", "", value),))


WRONG: list[tuple[Callable[[], System], str]] = [
    (lambda: lines(("h", neg(x)), ("h", x)), "'h' is defined twice"),
    (lambda: lines(("h", neg(g)), ("g", x)), "'h' reads 'g' before its definition"),
    (lambda: lines(("h", neg(read("h", "t", H)))), "'h' reads 'h' before its definition"),
    (
        lambda: lines(("h", read("e", "t-1", H))),
        "'e' is read at [t-1] but neither defined nor given",
    ),
    (
        lambda: lines(("h", add(h_before, read("h", "t+1", H)))),
        "states are read at [t-1] and at [t+1]",
    ),
    (lambda: lines(("g", neg(x))), "the output 'h' is not defined"),
    (lambda: lines(("h", build("sum", x)), ("g", h_before)), "'h' has two shapes: [] and [h]"),
    (
        lambda: lines(("h", add(x, parameter("x", H)))),
        "'x' is a signal and a parameter",
    ),
    (
        lambda: lines(("h", add(parameter("b", H), build("sum", parameter("b", X))))),
        "'b' has two shapes: [h] and [x]",
    ),
    (lambda: lines(("h", build("mul", constant("a"), x))), "the constant 'a' has no value"),
    (
        lambda: lines(("h", add(x, total(x)))),
        "'h' holds a sum over all steps within a step",
    ),
    (lambda: with_total(x), "the total 'd_b' varies over the steps"),
    (lambda: replace(GOOD, given=("g",)), "'g' is given and defined"),
    (
        lambda: replace(GOOD, initial=(("h", parameter("h_0", X)),)),
        "'h' starts from a parameter of another shape",
    ),
    (
        lambda: lines(("h", intern("neg", (x,), (), X, True))),
        "a node of 'neg' does not have the shape of its arguments",
    ),
    (
        lambda: lines(("h", intern("read", (), ("x", "t", H), H, False))),
        "the read of 'x' does not vary over the steps",
    ),
    (
        lambda: replace(
            GOOD,
            equations=(Equation("h", "n", read("h", "k", H)),),
            leaf=(Equation("h", "leaf", number(1)),),
        ),
        "'h' is defined with two shapes",
    ),
]


@pytest.mark.parametrize(("make", "cause"), WRONG)
def test_says_what_is_wrong(make, cause):
    with pytest.raises(IllFormedError) as caught:
        verify(make())
    assert str(caught.value) == cause


@pytest.mark.parametrize("name", SAMPLES)
def test_cells_are_well_formed(name):
    verify(read_system(SAMPLES[name]))


def test_good_systems_pass():
    verify(GOOD)
    verify(with_total(total(x)))
    verify(lines(("g", neg(x)), ("h", build("sum", concat(g, x)))))
    verify(read_system("h[leaf] = W @ x[n]\nh[n] = tanh(V @ sum(h[k] for k in n))"))
