"""From text to a system: what the lines become."""

from __future__ import annotations

import pytest

from cellwise.equation import read_system
from cellwise.graph.dimension import Dim, Shape

GRU = """
    z[t] = sigmoid(U_z @ x[t] + W_z @ h[t-1] + b_z)         # update gate
    r[t] = sigmoid(U_r @ x[t] + W_r @ h[t-1] + b_r)         # reset gate
    g[t] = tanh(U_h @ x[t] + W_h @ (r[t] * h[t-1]) + b_h)   # new content
    h[t] = (1 - z[t]) * h[t-1] + z[t] * g[t]
"""

H, X = Dim.of("h"), Dim.of("x")


def test_the_gru_of_the_design():
    system = read_system(GRU)
    assert system.defined == ("z", "r", "g", "h")
    assert system.inputs == ("x",)
    assert system.states == ("h",)
    assert system.output == "h"
    assert [line.comment for line in system.equations] == [
        "update gate",
        "reset gate",
        "new content",
        "",
    ]
    gate = {"U": (H, X), "W": (H, H), "b": (H,)}
    names = [f"{kind}_{gate}" for gate in "zrh" for kind in "UWb"]
    assert list(system.parameters) == names
    assert all(system.parameters[name] == gate[name[0]] for name in names)


def test_constants_initial_states_and_two_states():
    system = read_system(
        "a = -0.5\nc[0] = start\nc[t] = a * c[t-1] + x[t]\nh[t] = tanh(c[t]) + h[t-1]"
    )
    assert system.constants == (("a", -0.5),)
    assert system.states == ("h", "c")
    assert [(name, node.attributes[0]) for name, node in system.initial] == [("c", "start")]


def test_an_initial_state_of_zero_is_the_default():
    plain = "h[t] = h[t-1] + x[t]"
    assert read_system(f"h[0] = 0\n{plain}") == read_system(plain)
    assert read_system(f"h₀ = 0\n{plain}") == read_system(plain)


def test_derived_lines():
    text = """
        given x, h
        same d_x, h
        output d_x
        d_x[t] = U.T @ d_a[t] + d_x[t+1]
        d_c[t] = d_x[t]
        d_W = sum(outer(d_a[t], h[t-1]) for t)
        d_s = d_W - 2 * d_W
        d_h_0 = d_c[1]
        d_f = first(d_c[t] * 2)
    """
    system = read_system(text)
    assert system.given == ("x", "h")
    assert system.output == "d_x"
    assert system.inputs == ("d_a",)
    assert system.reverse
    assert [line.name for line in system.totals] == ["d_W", "d_s", "d_h_0", "d_f"]
    assert system.totals[1].value.shape == system.totals[0].value.shape
    assert [line.value.operation for line in system.totals] == ["total", "sub", "first", "first"]


def test_a_tree_with_edges_labels_and_leaves():
    system = read_system(
        """
        h[leaf] = tanh(U @ x[leaf])
        f[n,k] = sigmoid(W[r] @ h[k] + U @ x[n])
        h[n] = sum(f[n,k] * h[k] for k in n)
        """
    )
    assert system.structure == "tree"
    assert system.states == ("h",)
    assert [line.index for line in system.lines()] == ["leaf", "n,k", "n"]
    assert system.output == "h"
    assert system.parameters == {"U": (H, X), "W": (H, H)}


def test_a_binary_tree():
    system = read_system("h[n] = tanh(L @ h[left] + R @ h[right] + U @ x[n])\nh[leaf] = 0")
    assert system.leaf[0].value.shape == (H,)
    assert system.states == ("h",)


SHAPES: list[tuple[str, str, Shape]] = [
    ("h[t] = W @ [x[t], h[t-1]]", "W", (H, X + H)),
    ("h[t] = (W - W.T) @ h[t-1] + x[t]", "W", (H, H)),
    ("e[t] = [x[t], x[t]]\nh[t] = W @ e[t]", "W", (H, X + X)),
    ("h[t] = bilinear(V, x[t], h[t-1])", "V", (H, X, H)),
    ("h[t] = bilinear(permute(V, 2, 0, 1), x[t], h[t-1])", "V", (X, H, H)),
    ("h[t] = [A, B] @ x[t]", "B", (Dim.of("B"), X)),
    ("h[t] = x[t]\nD = sum(outer(x[t], h[t]) for t) @ (A @ B)", "A", (H, Dim.of("B"))),
    ("h[t] = W @ (M @ x[t])", "M", (Dim.of("M"), X)),
    ("h[t] = dot(v, x[t]) * b", "v", (X,)),
    ("h[t] = dot(v, x[t]) * b", "b", (H,)),
    ("h[t] = outer(x[t], b) @ c", "c", (Dim.of("b"),)),
    ("h[t] = part(W @ x[t], 0, h, b) + 0 * sum(b)", "W", (H + Dim.of("b"), X)),
    ("e[t] = [x[t], y[t]]\nh[t] = W @ part(e[t], 1, x[t], [y])", "W", (H, Dim.of("y"))),
    ("h[t] = [a, a] + [x[t], b]", "b", (Dim.of("a") + Dim.of("a") - X,)),
    ("h[t] = tanh(part([a, x[t]], 1, b, x))", "a", (Dim.of("a"),)),
    ("scalar a\nh[t] = a * x[t]", "a", ()),
    ("s[0] = s_0\ns[t] = s[t-1] + sum(x[t])\nh[t] = s[t] * x[t]", "s_0", ()),
    ("h[t] = W @ broadcast(2, x) + U @ x[t]", "W", (H, X)),
]


@pytest.mark.parametrize(("text", "name", "shape"), SHAPES)
def test_shapes_are_inferred(text, name, shape):
    assert read_system(text).parameters[name] == shape


SCALARS = [
    ("s[t] = dot(x[t], x[t])\nh[t] = s[t] * x[t]", "s", 0),
    ("h[t] = 0.5 * h[t-1] + 1", "h", 0),
    ("h[t] = 0.5 * h[t-1] + x[t]", "h", 1),
    ("h[t] = h[t-1]", "h", 1),
    ("a[t] = b[t-1]\nb[t] = a[t]", "b", 1),
    ("a[t] = b[t-1]\nb[t] = a[t] * max(x[t])", "a", 0),
    ("a[t] = c[t-1]\nb[t] = a[t] + 1\nc[t] = b[t] * x[t]", "b", 1),
    ("scalar x\nh[t] = tanh(x[t])", "h", 0),
    ("vector h\nh[t] = 0.5 * h[t-1]", "h", 1),
    ("given s\nscalar s\nh[t] = s[t] * s[t-1]", "h", 0),
]


@pytest.mark.parametrize(("text", "name", "rank"), SCALARS)
def test_scalars_and_vectors_are_told_apart(text, name, rank):
    assert len(read_system(text).shape_of(name)) == rank
