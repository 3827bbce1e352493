"""Each operation's rule: tangent against central differences, transpose against tangent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cellwise.autodiff.forward import tangent
from cellwise.autodiff.reverse import backward
from cellwise.autodiff.rules import RULES
from cellwise.graph.build import build, parameter, read
from cellwise.graph.dimension import Dim, Shape
from cellwise.graph.node import Attribute, Node
from cellwise.graph.operations import OPERATIONS
from cellwise.graph.system import Equation, System
from cellwise.graph.verify import verify
from tests.evaluate import OPERATE, Array, Feed, evaluate
from tests.gradients import STEP, moved, places, sweep_back, tangent_feed
from tests.tolerances import TOLERANCE

EXACT, DIFFERENCE = (TOLERANCE[torch.float64][kind] for kind in ("exact", "difference"))

N, M, K = Dim.of("n"), Dim.of("m"), Dim.of("k")
SIZES = {"n": 4, "m": 3, "k": 2}
SHAPES: dict[str, Shape] = {
    "s": (),
    "n": (N,),
    "m": (M,),
    "k": (K,),
    "N": (N, M),
    "M": (M, K),
    "S": (N, N),
    "C": (N, M, K),
    "j": (N + M,),
    "J": (N + M, K),
}
PAIRS = "ss nn sn ns sN NN sC"
ARGUMENTS: dict[str, str] = {
    **{
        n: "s n N"
        for n, row in OPERATIONS.items()
        if row.kind == "elementwise" and row.arity[1] == 1
    },
    **{
        n: PAIRS for n, row in OPERATIONS.items() if row.kind == "elementwise" and row.arity[1] == 2
    },
    **dict.fromkeys("sum mean largest smallest inverse_std softmax norm is_largest".split(), "n"),
    "dot": "nn",
    "matmul": "Nm NM Sn SS",
    "transpose": "N S",
    "outer": "nm nmk nn",
    "concat": "n nm nnm NN",
    "bilinear": "Cmk",
    "part": "j J",
    "broadcast": "s",
    "permute": "C",
}
"""For each operation, the shapes of its arguments: a letter of `SHAPES` each."""
ATTRIBUTES: dict[str, list[tuple[Attribute, ...]]] = {
    "part": [(0, (N, M)), (1, (N, M))],
    "broadcast": [((N,),), ((N, M),), ((N, M, K),)],
    "permute": [((1, 0, 2),), ((1, 2, 0),), ((2, 0, 1),)],
}
POSITIVE = {"log", "sqrt", "pow", "div"}
NOT_OVER = [n for n, row in OPERATIONS.items() if row.kind not in ("leaf", "over", "internal")]
CASES = [
    (name, shapes, attributes)
    for name in NOT_OVER
    for shapes in ARGUMENTS[name].split()
    for attributes in ATTRIBUTES.get(name, [()])
]


def system_of(
    name: str, shapes: str, attributes: tuple[Attribute, ...], *, fixed: str = ""
) -> System:
    """`y[t] = operation(a0[t], a1[t], …)`, with parameters for the positions in `fixed`."""
    arguments: list[Node] = []
    for position, letter in enumerate(shapes):
        if str(position) in fixed:
            arguments.append(parameter(f"a{position}", SHAPES[letter]))
        else:
            arguments.append(read(f"a{position}", "t", SHAPES[letter]))
    value = build(name, *arguments, attributes=attributes)
    system = System((Equation("y", "t", value),), "y")
    verify(system)
    return system


def feed_of(system: System, *, positive: bool = False, steps: int = 2) -> Feed:
    """Random data for all inputs and parameters."""
    rng = np.random.default_rng(0)

    def draw(shape: Shape, *leading: int) -> Array:
        data = rng.normal(size=(*leading, *(size.evaluate(SIZES) for size in shape)))
        return np.abs(data) + 0.2 if positive else data

    signals = {name: draw(system.shape_of(name), steps) for name in system.inputs}
    return Feed(steps, signals, {}, {n: draw(s) for n, s in system.parameters.items()}, sizes=SIZES)


def push(system: System, feed: Feed, by: dict[str, Array]) -> Array:
    """The output's tangent along a direction."""
    derived = tangent(system)
    verify(derived.system)
    forward = evaluate(system, feed)
    trace = evaluate(derived.system, tangent_feed(system, derived, feed, forward, by))
    return trace.signals[derived.system.output]


def direction(feed: Feed, seed: int = 1) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=array.shape) for name, array in places(feed).items()}


def test_every_operation_has_a_rule_and_is_evaluated_here():
    internal = {name for name, row in OPERATIONS.items() if row.kind == "internal"}
    assert set(RULES) == set(OPERATIONS) - internal
    assert set(OPERATE) - internal == set(NOT_OVER)


def test_what_is_linear_has_a_transpose():
    linear = {name for name, row in OPERATIONS.items() if row.kind == "linear"}
    linear |= {"neg", "add", "sub", "mul", "div", "sum", "mean", "dot"}
    linear |= {"total", "total_labelled", "sum_children", "sum_parents"}
    assert {name for name, rule in RULES.items() if rule.transpose is not None} == linear


@pytest.mark.parametrize(("name", "shapes", "attributes"), CASES)
def test_the_tangent_agrees_with_central_differences(name, shapes, attributes):
    system = system_of(name, shapes, attributes)
    feed = feed_of(system, positive=name in POSITIVE)
    by = direction(feed)
    above, below = (evaluate(system, moved(feed, by, s * STEP)).signals["y"] for s in (1, -1))
    np.testing.assert_allclose(push(system, feed, by), (above - below) / (2 * STEP), **DIFFERENCE)


@pytest.mark.parametrize(
    ("name", "shapes", "attributes", "fixed"),
    [(*case, fixed) for case in CASES for fixed in ("", "0", "012"[: len(case[1])])],
)
def test_the_transpose_is_the_adjoint(name, shapes, attributes, fixed):
    system = system_of(name, shapes, attributes, fixed=fixed)
    feed = feed_of(system, positive=name in POSITIVE)
    v = direction(feed)
    jv = push(system, feed, v)
    u = np.random.default_rng(2).normal(size=jv.shape)
    derived = backward(system)
    verify(derived.system)
    jtu = sweep_back(system, derived, feed, u, {})
    assert jtu.keys() == v.keys()
    np.testing.assert_allclose(np.sum(u * jv), sum(np.sum(jtu[n] * v[n]) for n in v), **EXACT)


SATURATED = [
    (name, value)
    for name in NOT_OVER
    if set(ARGUMENTS[name].split()) & {"n", "nn"}
    for value in (-100.0, -50.0, 0.0, 50.0, 100.0)
    if value > 0 or name not in POSITIVE
]


@pytest.mark.parametrize(("name", "value"), SATURATED)
def test_derivatives_are_finite_where_functions_saturate(name, value):
    shapes = "nn" if OPERATIONS[name].arity[0] == 2 else "n"
    system = system_of(name, shapes, ())
    feed = feed_of(system)
    feed = replace(feed, signals={n: np.full(a.shape, value) for n, a in feed.signals.items()})
    by = direction(feed)
    forward = push(system, feed, by)
    weights = np.ones(evaluate(system, feed).signals["y"].shape)
    back = sweep_back(system, backward(system), feed, weights, {})
    assert np.all(np.isfinite(forward))
    assert all(np.all(np.isfinite(array)) for array in back.values())


KINKS = [
    ("relu", [0.0], [0.0]),
    ("abs", [0.0], [0.0]),
    ("sign", [0.0], [0.0]),
    ("step", [0.0], [0.0]),
    ("hard_sigmoid", [-3.0, 0.0, 3.0], [0.0, 1 / 6, 0.0]),
    ("hard_tanh", [-1.0, 0.0, 1.0], [0.0, 1.0, 0.0]),
    ("largest", [2.0, 1.0, 2.0], [0.5, 0.0, 0.5]),
    ("smallest", [1.0, 1.0, 2.0], [0.5, 0.5, 0.0]),
]


@pytest.mark.parametrize(("name", "at", "slope"), KINKS)
def test_the_derivative_at_a_kink_is_torchs(name, at, slope):
    system = system_of(name, "n", ())
    feed = Feed(1, {"a0": np.array([at])}, sizes={"n": len(at)})
    weights = np.ones(evaluate(system, feed).signals["y"].shape)
    back = sweep_back(system, backward(system), feed, weights, {})
    np.testing.assert_array_equal(back["a0"], [slope])


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_equal_arguments_share_the_derivative(name):
    feed = Feed(1, {"a0": np.array([1.5]), "a1": np.array([1.5])})
    back = sweep_back(s := system_of(name, "ss", ()), backward(s), feed, np.array([1.0]), {})
    assert back["a0"] == back["a1"] == [0.5]


def test_a_power_of_zero_has_the_derivative_zero_in_its_exponent():
    feed = Feed(1, {"a0": np.array([0.0]), "a1": np.array([2.0])})
    back = sweep_back(s := system_of("pow", "ss", ()), backward(s), feed, np.array([1.0]), {})
    assert back["a0"] == back["a1"] == [0.0]


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0, 3.0, -1.5])
@pytest.mark.parametrize("shape", ["s", "n"])
def test_literal_powers(power, shape):
    a = read("a0", "t", SHAPES[shape])
    value = build("pow", a, build("number", attributes=(power,)))
    system = System((Equation("y", "t", value),), "y")
    feed = feed_of(system, positive=True)
    by = direction(feed)
    above, below = (evaluate(system, moved(feed, by, s * STEP)).signals["y"] for s in (1, -1))
    np.testing.assert_allclose(push(system, feed, by), (above - below) / (2 * STEP), **DIFFERENCE)


def test_a_scalar_literal_power_of_a_vector_exponent():
    two = build("number", attributes=(2.0,))
    value = build("pow", two, read("a0", "t", SHAPES["n"]))
    system = System((Equation("y", "t", value),), "y")
    feed = feed_of(system)
    by = direction(feed)
    above, below = (evaluate(system, moved(feed, by, s * STEP)).signals["y"] for s in (1, -1))
    np.testing.assert_allclose(push(system, feed, by), (above - below) / (2 * STEP), **DIFFERENCE)
