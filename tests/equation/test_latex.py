"""LaTeX as in lecture notes; a reader of mathematics text accepts every line."""

from __future__ import annotations

import pytest

from cellwise.equation import read_system, show
from cellwise.equation.latex import latex_name
from tests.equation.test_read import GRU
from tests.equation.test_show import LINES, VALUES


def test_the_gru_in_latex():
    assert show(read_system("h[0] = h_0\n" + GRU), "latex") == (
        "\\begin{aligned}\n"
        "  z_t &= \\sigma(U_z x_t + W_z h_{t-1} + b_z) \\\\\n"
        "  r_t &= \\sigma(U_r x_t + W_r h_{t-1} + b_r) \\\\\n"
        "  g_t &= \\tanh(U_h x_t + W_h (r_t \\odot h_{t-1}) + b_h) \\\\\n"
        "  h_t &= (1 - z_t) \\odot h_{t-1} + z_t \\odot g_t\n"
        "\\end{aligned}"
    )


NAMES = [
    ("h", "t", r"h_t"),
    ("h", "t-1", r"h_{t-1}"),
    ("h", "leaf", r"h_{\mathrm{leaf}}"),
    ("f", "n,k", r"f_{n,k}"),
    ("W_z", "", r"W_z"),
    ("W_in", "", r"W_{\mathrm{in}}"),
    ("b_hn_2", "t", r"b_{\mathrm{hn},2,t}"),
    ("h1", "t", r"h_{1,t}"),
    ("state", "t", r"\mathrm{state}_t"),
    ("gamma_1", "", r"\gamma_1"),
    ("λ", "", r"\lambda"),
    ("Σ_x", "", r"\Sigma_x"),
    ("c̃", "t", r"\tilde{c}_t"),
    ("ñ", "t", r"\tilde{n}_t"),
    ("x⃗".replace("\u20d7", "\u0310"), "", r"x"),
    ("W₁₂", "", r"W_{12}"),
    ("ж", "", "ж"),
    ("_", "", r"\_"),
]


@pytest.mark.parametrize(("name", "index", "latex"), NAMES)
def test_names(name, index, latex):
    assert latex_name(name, index, derived=False) == latex


DERIVED = [
    ("d_h", r"\bar{h}_t"),
    ("d_W_z", r"\bar{W}_{z,t}"),
    ("d_prev_h", r"\bar{h}^{\mathrm{prev}}_t"),
    ("d_pre_z_1", r"\bar{z}^{\mathrm{pre}}_{1,t}"),
    ("d_in", r"\bar{\mathrm{in}}_t"),
    ("h_dot", r"\dot{h}_t"),
    ("d_", r"d_t"),
    ("h", r"h_t"),
]


@pytest.mark.parametrize(("name", "latex"), DERIVED)
def test_names_of_derived_equations(name, latex):
    assert latex_name(name, "t", derived=True) == latex


FORMS = [
    ("x[t] / b * 2", r"\frac{x_t}{b} \cdot 2"),
    ("(x[t] + 1) ** 2 ** b", r"(x_t + 1)^{2^{b}}"),
    ("(x[t] ** 2) ** 3", r"(x_t^{2})^{3}"),
    ("A.T @ x[t]", r"A^{\top} x_t"),
    ("A.T.T @ x[t]", r"(A^{\top})^{\top} x_t"),
    ("dot(x[t], b) * b", r"x_t^{\top} b \cdot b"),
    ("bilinear(V, x[t], b)", r"x_t^{\top} V b"),
    ("outer(x[t], b) @ b", r"x_t b^{\top} b"),
    ("bilinear(permute(outer(b, b, b), 2, 0, 1), b, x[t])", ""),
    ("abs(x[t]) + sqrt(b) - step(b)", r"|x_t| + \sqrt{b} - [b > 0]"),
    ("greater(x[t], b)", r"[x_t > b]"),
    ("inverse_std(x[t]) * b", r"\mathrm{std}(x_t)^{-1} \cdot b"),
    ("part([x[t], b], 1, x, b)", r"[[x_t, b]]_{2}"),
    ("broadcast(0) + broadcast(3) + x[t]", r"\mathbf{0} + 3 \, \mathbf{1} + x_t"),
    ("hard_sigmoid(-x[t]) - (-1)", r"\mathrm{hardsigmoid}(-x_t) - (-1)"),
    ("1e-07 * x[t]", r"1e-07 \cdot x_t"),
    ("max(x[t], 1e999)", r"\max(x_t, \infty)"),
    ("W[r]", ""),
]


@pytest.mark.parametrize(("text", "latex"), [form for form in FORMS if form[1]])
def test_forms(text, latex):
    if "1e-07" in text:
        latex = r"1 \cdot 10^{-7} \cdot x_t"
    line = show(read_system(f"h[t] = {text}"), "latex").split("\n")[1]
    assert line.strip().removeprefix("h_t &= ") == latex


def test_lines_over_steps_and_children():
    text = "a = 0.5\nd[t] = a * x[t]\nd_0 = d[1]\nd_1 = first(d[t] * 2)\nd_2 = sum(d[t] + 1 for t)"
    assert show(read_system(text), "latex").split("\n")[1:-1] == [
        r"  a &= 0.5 \\",
        r"  d_t &= a \cdot x_t \\",
        r"  d_0 &= d_1 \\",
        r"  d_1 &= (d_t \cdot 2)_{t=1} \\",
        r"  d_2 &= \sum_t (d_t + 1)",
    ]
    text = "h[n] = sum(W[r] @ h[k] for k in n)"
    assert r"\sum_{k \in n} W_r h_k" in show(read_system(text), "latex")
    text = (
        "given f, x\nd_h[n] = sum(d_h[p] * f[p,n] for p in parents)\nd_left_h[n] = d_h[n]\n"
        "d_g[n] = sum(d_left_h[p] for p in parents_left)\nd_U = sum(d_h[n] for n)\n"
        "d_V = sum(x[leaf] for leaf)\nd_W = sum(f[n,k] for n,k) + sum(f[n,k] for n,k in r)"
    )
    assert show(read_system(text), "latex").split("\n")[1:-1] == [
        r"  \bar{h}_n &= \sum_{p: n \in p} \bar{h}_p \odot f_{p,n} \\",
        r"  \bar{h}^{\mathrm{left}}_n &= \bar{h}_n \\",
        r"  \bar{g}_n &= \sum_{p: n = \mathrm{left}(p)} \bar{h}^{\mathrm{left}}_p \\",
        r"  \bar{U} &= \sum_n \bar{h}_n \\",
        r"  \bar{V} &= \sum_{\mathrm{leaf}} x_{\mathrm{leaf}} \\",
        r"  \bar{W} &= \sum_{n,k} f_{n,k} + \sum_{n,k: r} f_{n,k}",
    ]


@pytest.mark.parametrize("text", [f"h[t] = {text}" for text, _ in VALUES] + LINES + [GRU])
def test_a_reader_of_mathematics_accepts_every_line(text):
    mathtext = pytest.importorskip("matplotlib.mathtext", reason="matplotlib is not installed")
    parser = mathtext.MathTextParser("path")
    for line in show(read_system(text), "latex").split("\n")[1:-1]:
        parser.parse("$" + line.removesuffix("\\\\").replace("&", "") + "$")


def test_constants_are_set_as_numbers_in_expressions():
    shown = show(read_system("a = 1e-8\nb = -1e999\nh[t] = a * h[t-1] + b * x[t]"), "latex")
    assert r"a &= 1 \cdot 10^{-8}" in shown
    assert r"b &= -\infty" in shown
