"""Printing: text and Unicode, and that both are read back as the very same system."""

from __future__ import annotations

import pytest

from cellwise.autodiff.reverse import backward
from cellwise.equation import canonical, read_system, show
from cellwise.equation.latex import LATEX
from cellwise.equation.symbols import SYMBOLS
from cellwise.graph.build import build, number, parameter, read
from cellwise.graph.dimension import Dim
from cellwise.graph.operations import OPERATIONS
from cellwise.graph.system import Equation, System
from cellwise.passes.simplify import simplify
from tests.equation.test_read import GRU

H = (Dim.of("h"),)


def test_every_operation_has_a_row_in_each_table():
    shown = {name for name, row in OPERATIONS.items() if row.kind != "internal"}
    assert {*SYMBOLS} == {*LATEX} == shown


def test_the_gru_as_text():
    assert show(read_system(GRU)) == (
        "z[t] = sigmoid(U_z @ x[t] + W_z @ h[t-1] + b_z)  # update gate\n"
        "r[t] = sigmoid(U_r @ x[t] + W_r @ h[t-1] + b_r)  # reset gate\n"
        "g[t] = tanh(U_h @ x[t] + W_h @ (r[t] * h[t-1]) + b_h)  # new content\n"
        "h[t] = (1 - z[t]) * h[t-1] + z[t] * g[t]"
    )


def test_the_gru_in_unicode():
    assert show(read_system(GRU), "unicode") == (
        "zₜ = σ(U_z xₜ + W_z hₜ₋₁ + b_z)  # update gate\n"
        "rₜ = σ(U_r xₜ + W_r hₜ₋₁ + b_r)  # reset gate\n"
        "gₜ = tanh(U_h xₜ + W_h (rₜ ∘ hₜ₋₁) + b_h)  # new content\n"
        "hₜ = (1 − zₜ) ∘ hₜ₋₁ + zₜ ∘ gₜ"
    )


# Right sides, in normal form; the second is Unicode.
VALUES = [
    ("x[t] + (b + h[t-1])", "xₜ + (b + hₜ₋₁)"),
    ("x[t] + b + h[t-1]", "xₜ + b + hₜ₋₁"),
    ("x[t] - (b - 1) - 2", "xₜ − (b − 1) − 2"),
    ("x[t] * (b * h[t-1])", "xₜ ∘ (b ∘ hₜ₋₁)"),
    ("x[t] / b / (h[t-1] / 2)", "xₜ / b / (hₜ₋₁ / 2)"),
    ("0.5 * x[t] * b", "0.5 × xₜ ∘ b"),
    ("x[t] * (W @ h[t-1])", "xₜ ∘ W hₜ₋₁"),
    ("(W @ h[t-1]) * x[t]", "W hₜ₋₁ ∘ xₜ"),
    ("W @ (x[t] * b)", "W (xₜ ∘ b)"),
    ("W @ tanh(x[t])", "W tanh(xₜ)"),
    ("W @ x[t] ** 2", "W · xₜ²"),
    ("(W @ x[t]) ** 2", "(W xₜ)²"),
    ("w @ (x[t] + b)", "w · (xₜ + b)"),
    ("Tan @ (x[t] + b)", "Tan · (xₜ + b)"),
    ("w.T @ (x[t] + b)", "wᵀ (xₜ + b)"),
    ("A @ B @ x[t]", "A B · xₜ"),
    ("A @ (B @ x[t])", "A · B xₜ"),
    ("(A + B.T) @ x[t]", "(A + Bᵀ) · xₜ"),
    ("A.T.T @ x[t]", "Aᵀᵀ xₜ"),
    ("W @ [x[t], h[t-1]]", "W · [xₜ, hₜ₋₁]"),
    ("W.T @ [x[t], h[t-1]]", "Wᵀ [xₜ, hₜ₋₁]"),
    ("[[x[t], b], y[t]]", "[[xₜ, b], yₜ]"),
    ("-x[t]", "−xₜ"),
    ("-(x[t] + b)", "−(xₜ + b)"),
    ("-(-x[t])", "−(−xₜ)"),
    ("-(W @ x[t])", "−W xₜ"),
    ("-W @ x[t]", "−W · xₜ"),
    ("-x[t] ** 2", "−xₜ²"),
    ("(-x[t]) ** 2", "(−xₜ)²"),
    ("x[t] ** b ** 3", "xₜ ** b³"),
    ("(x[t] ** b) ** 3", "(xₜ ** b)³"),
    ("(x[t] ** 2) ** 12", "(xₜ²)¹²"),
    ("x[t] ** -2", "xₜ ** −2"),
    ("x[t] ** (-b)", "xₜ ** (−b)"),
    ("x[t] ** 0.5", "xₜ ** 0.5"),
    ("x[t] * (-2) + (-1)", "xₜ × (−2) + (−1)"),
    ("-2 * x[t] - (-(2))", "−2 × xₜ − (−(2))"),
    ("x[t] * 1e-07 + 1e+20 + 1e999", "xₜ × 1e-07 + 1e+20 + 1e999"),
    ("max(x[t], 0) + min(x[t])", "max(xₜ, 0) + min(xₜ)"),
    ("sigmoid(x[t]) * softmax(b) * norm(b)", "σ(xₜ) ∘ softmax(b) ∘ norm(b)"),
    ("outer(x[t], b) @ c", "xₜ ⊗ b · c"),
    ("outer(x[t] + b, W @ x[t]) @ b", "(xₜ + b) ⊗ W xₜ · b"),
    ("bilinear(outer(x[t], b, b), b, b)", "bilinear(outer(xₜ, b, b), b, b)"),
    ("bilinear(permute(V, 2, 0, 1), b, x[t])", "bilinear(permute(V, 2, 0, 1), b, xₜ)"),
    ("part([x[t], b], 1, x, h)", "part([xₜ, b], 1, x, h)"),
    ("broadcast(2) * x[t]", "broadcast(2) ∘ xₜ"),
    ("dot(x[t], broadcast(2)) * b", "dot(xₜ, broadcast(2, x)) × b"),
]


@pytest.mark.parametrize(("text", "unicode"), VALUES)
def test_values_print_with_the_brackets_they_need(text, unicode):
    system = read_system(f"h[t] = {text}\ng[t] = h[t]")
    printed = show(system).split("\n")[0].removeprefix("h[t] = ")
    assert show(system, "unicode").split("\n")[0] == f"hₜ = {unicode}"
    assert printed == text or "broadcast(2, x)" in printed
    for style in ("text", "unicode"):
        assert read_system(show(system, style)) == system


LINES = [
    "a = -0.5\nh[0] = start\nh[t] = a * h[t-1] + x[t]",
    "scalar x, alpha\nh[t] = alpha * x[t]",
    "vector h\nh[t] = 0.5 * h[t-1]",
    "scalar h\nh[t] = h[t-1]",
    "output h\nh[t] = x[t]\ny[t] = h[t]",
    "given x, s\nscalar s\nd[t] = d[t+1] * s[t] + x[t-1]\nd_W = sum(outer(d[t], x[t]) for t)",
    "d[t] = d[t+1] + x[t]\nd_0 = d[1]\nd_1 = first(d[t] * 2)\nd_2 = 2 * d_0 - sum(d[t] for t)",
    "h[leaf] = tanh(U @ x[leaf])\nf[n,k] = W[r] @ h[k]\nh[n] = sum(f[n,k] for k in n) + h[parent]",
    "h[n] = tanh(L @ h[left] + R @ h[right])",
    "given x\nsame W.T, b\nd[t] = d[t+1] + x[t]\nd_b = W.T @ sum(d[t] for t)\nd_c = outer(b, b)",
    "given x\nsame permute(V, 1, 0, 2), b\nd[t] = d[t+1] + x[t]\n"
    "d_b = bilinear(permute(V, 1, 0, 2), sum(d[t] for t), c)\nd_c = outer(b, c)",
    "given x\nd[t] = d[t+1] + x[t]\nd_b = sum(broadcast(0, [b, d]) for t)\nd_c = outer(b, b)",
    "given h\nd_h[leaf] = sum(d_e[n] * g[p,n] * h[n] for p in parents_left)\n"
    "d_h[n] = sum(d_h[p] + g[p,n] for p in parents)\ng[n,k] = W[r].T @ d_h[n]\nd_e[n] = d_h[n]\n"
    "d_a = sum(d_h[n] for n) + sum(outer(g[n,k], h[k]) @ v for n,k)\n"
    "d_v = sum(2 * d_h[leaf] for leaf)\nd_c = sum(h[n] + sum(h[k] for k in n) for n)\n"
    "d_W = sum(outer(g[n,k], h[k]) for n,k in r)",
    "given y\noutput d_x\nd_x[leaf] = y[leaf] * sum(d_y[p] for p in parents_up)\nd_y[n] = 2 * y[n]",
]


@pytest.mark.parametrize("text", LINES)
def test_lines_of_all_kinds_are_in_normal_form(text):
    system = read_system(text)
    assert show(system) == text
    assert read_system(show(system, "unicode")) == system


def test_a_size_that_only_an_inner_axis_has_is_said_by_the_array():
    """The rows of permute(V, 1, 0, 2) are as many as the columns of V, and nothing else is."""
    text = "q[t] = W @ [step(bilinear(permute(V, 1, 0, 2), x[t], x[t])), x[t]]\ny[t] = q[t] + x[t]"
    derived = canonical(simplify(backward(read_system(text)).system))
    shown = show(derived)
    assert "d_x[t] = d_y[t] + part(W.T @ d_q[t], 1, permute(V, 1, 0, 2), d_y)\n" in shown
    assert "d_V = sum(broadcast(0, d_y, permute(V, 1, 0, 2), d_y) for t)" in shown
    assert read_system(shown) == derived
    text = (
        "given x\nd[t] = part(x[t], 0, d, [W, W.T])\ne = sum(broadcast(0, W.T) for t)\nd_W = W @ e"
    )
    assert show(read_system(text)) == text


def test_signs_of_lines_in_unicode():
    text = "a = -0.5\nh[0] = h_0\nh[t] = a * h[t-1] + x[t]\nd = sum(h[t] for t)\ne = h[1] + d"
    assert show(read_system(text), "unicode") == (
        "a = −0.5\nh₀ = h_0\nhₜ = a × hₜ₋₁ + xₜ\nd = ∑(hₜ for t)\ne = h[1] + d"
    )
    text = "f[n,k] = h[k]\nh[n] = sum(f[n,k] for k in n)"
    assert show(read_system(text), "unicode") == "fₙₖ = hₖ\nhₙ = ∑(fₙₖ for k in n)"


def test_sizes_that_derived_equations_leave_open_are_said():
    """The text alone would not know that the third-order V, W and x fit together."""
    x, g = (Dim.of("x"),), (Dim.of("g"),)
    cotangent = read("d", "t", g)
    third = parameter("V", g + x + H)
    matrix = parameter("W", H + x)
    system = System(
        equations=(
            Equation("d_x", "t", build("bilinear", third, read("x", "t", x), read("h", "t", H))),
            Equation("d_h", "t", build("matmul", matrix, read("y", "t", x))),
            Equation("d_s", "t", build("sum", build("broadcast", number(1), attributes=(g,)))),
            Equation("d_e", "t", cotangent),
        ),
        output="d_x",
        totals=(
            Equation(
                "d_M",
                "",
                build("total", build("broadcast", number(0), attributes=(g + H,))),
            ),
        ),
    )
    named = canonical(system)
    text = show(named)
    assert text == (
        "same d_x, d_e\n"
        "same x, y\n"
        "same h, d_h\n"
        "output d_x\n"
        "d_x[t] = bilinear(V, x[t], h[t])\n"
        "d_h[t] = W @ y[t]\n"
        "d_s[t] = sum(broadcast(1, d_x))\n"
        "d_e[t] = d[t]\n"
        "d_M = sum(broadcast(0, d_x, d_h) for t)"
    )
    assert read_system(text) == named
    assert read_system(show(named, "unicode")) == named
