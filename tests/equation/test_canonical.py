"""One name for each class of equal sizes."""

from __future__ import annotations

import pytest

from cellwise.equation import canonical, read_system
from cellwise.graph.build import build, parameter, read
from cellwise.graph.dimension import Dim
from cellwise.graph.system import Equation, System

NAMES = [
    ("z[t] = W @ x[t]\nh[t] = z[t] * h[t-1]", "z", "h"),  # the output comes first
    ("z[t] = W @ x[t] + x[t]\nh[t] = dot(z[t], x[t]) * b", "z", "x"),  # then the inputs
    ("a[t] = W @ x[t]\nb[t] = a[t]\nh[t] = M @ b[t]", "b", "a"),  # then the first signal
    ("h[t] = W @ (x[t] * b)", "x", "x"),
]


@pytest.mark.parametrize(("text", "signal", "size"), NAMES)
def test_the_name_of_a_size(text, signal, size):
    assert read_system(text).shape_of(signal) == (Dim.of(size),)


def test_sizes_without_a_signal_are_named_by_parameters():
    assert read_system("h[t] = W @ (M @ [x[t], b])").parameters == {
        "W": (Dim.of("h"), Dim.of("M")),
        "M": (Dim.of("M"), Dim.of("x") + Dim.of("b")),
        "b": (Dim.of("b"),),
    }


def test_systems_made_otherwise_are_renamed_and_systems_from_text_are_not():
    system = read_system("h[t] = tanh(U @ x[t] + W @ h[t-1])")
    assert canonical(system) is system
    one, two = (Dim.of("one"),), (Dim.of("two"),)
    matrix = parameter("U", one + two)
    state = build("matmul", parameter("W", one + one), read("h", "t-1", one))
    value = build("tanh", build("add", build("matmul", matrix, read("x", "t", two)), state))
    assert canonical(System((Equation("h", "t", value),), "h")) == system


def test_names_that_are_taken_get_another():
    taken = Dim.of("h")
    value = build("matmul", parameter("W", (Dim.of("a"), taken)), read("x", "t", (taken,)))
    renamed = canonical(System((Equation("h", "t", value),), "h"))
    assert renamed.parameters["W"] == (Dim.of("h"), Dim.of("x"))
    free = build("sum", parameter("v", (Dim.of("a") + Dim.of("h"),)))
    value = build("mul", free, read("h", "t-1", (Dim.of("c"),)))
    renamed = canonical(System((Equation("h", "t", value),), "h"))
    assert renamed.parameters["v"] == (Dim.of("a") + Dim.of("h_"),)
