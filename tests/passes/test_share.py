"""What is shared, under which names, and in which order."""

from __future__ import annotations

import pytest

from cellwise.equation import read_system, show
from cellwise.graph.verify import verify
from cellwise.passes.share import name_nodes, share

SHARED = [
    # what is used twice gets a name after its first user
    (
        "h[t] = tanh(W @ x[t]) * tanh(W @ x[t] + h[t-1])",
        "h_1[t] = W @ x[t]\nh[t] = tanh(h_1[t]) * tanh(h_1[t] + h[t-1])",
    ),
    # the largest repeated part is named, not what is repeated inside of it alone
    (
        "h[t] = tanh(W @ x[t]) + h[t-1] / tanh(W @ x[t])",
        "h_1[t] = tanh(W @ x[t])\nh[t] = h_1[t] + h[t-1] / h_1[t]",
    ),
    # a part that is a line already is read by its name, and that line moves up
    (
        "a[t] = 2 * exp(x[t])\nb[t] = exp(x[t])\nh[t] = a[t] + b[t] + h[t-1]",
        "b[t] = exp(x[t])\na[t] = 2 * b[t]\nh[t] = a[t] + b[t] + h[t-1]",
    ),
    # equal lines
    (
        "a[t] = tanh(x[t])\nb[t] = tanh(x[t])\nh[t] = a[t] + b[t] + h[t-1]",
        "a[t] = tanh(x[t])\nb[t] = a[t]\nh[t] = a[t] + b[t] + h[t-1]",
    ),
    # cheap ones and what is the same at all steps stay
    (
        "h[t] = (1 - x[t]) * h[t-1] + tanh(1 - x[t]) * exp(b) + exp(b)",
        "h[t] = (1 - x[t]) * h[t-1] + tanh(1 - x[t]) * exp(b) + exp(b)",
    ),
    # names that are taken
    (
        "h_1[t] = x[t]\nh[t] = exp(x[t]) * h[t-1] + tanh(exp(x[t])) * h_1[t]",
        "h_1[t] = x[t]\nh_2[t] = exp(x[t])\nh[t] = h_2[t] * h[t-1] + tanh(h_2[t]) * h_1[t]",
    ),
    # cotangents: `pre` for what is inside a function, `in` for what a product takes
    (
        "given z\nd_z[t] = d_out[t] + d_p[t+1]\nd_x[t] = U.T @ (d_z[t] * z[t] * (1 - z[t]))\n"
        "d_p[t] = W.T @ (d_z[t] * z[t] * (1 - z[t]))",
        "given z\nd_z[t] = d_out[t] + d_p[t+1]\nd_pre_z[t] = d_z[t] * z[t] * (1 - z[t])\n"
        "d_x[t] = U.T @ d_pre_z[t]\nd_p[t] = W.T @ d_pre_z[t]",
    ),
    (
        "d_z[t] = d_out[t] + d_p[t+1]\nd_x[t] = tanh(W.T @ d_z[t])\nd_p[t] = exp(W.T @ d_z[t])",
        "d_z[t] = d_out[t] + d_p[t+1]\nd_in_z[t] = W.T @ d_z[t]\nd_x[t] = tanh(d_in_z[t])\n"
        "d_p[t] = exp(d_in_z[t])",
    ),
    # totals: what they hold over the steps
    (
        "h[t] = x[t] + h[t+1]\nd_b = sum(tanh(h[t]) for t)\nd_c = sum(tanh(h[t]) * x[t] for t)",
        "h[t] = x[t] + h[t+1]\nv_1[t] = tanh(h[t])\nd_b = sum(v_1[t] for t)\n"
        "d_c = sum(v_1[t] * x[t] for t)",
    ),
    # given signals: cheaper to compute again than to store
    (
        "given c\nh[t] = tanh(c[t]) * h[t+1] + x[t] / tanh(c[t])",
        "given c\nh[t] = tanh(c[t]) * h[t+1] + x[t] / tanh(c[t])",
    ),
]


def without_output(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("output"))


@pytest.mark.parametrize(("text", "expected"), SHARED)
def test_shares(text, expected):
    shared = share(read_system(text))
    verify(shared)
    assert without_output(show(shared)) == expected


def test_comments_stay_with_their_lines():
    system = read_system(
        "a[t] = 2 * exp(x[t]) # first\nb[t] = exp(x[t]) # second\nh[t] = a[t] * b[t]"
    )
    assert [line.comment for line in share(system).equations] == ["second", "first", ""]


def test_trees_stay_as_they_are():
    system = read_system("h[n] = tanh(W @ sum(h[k] for k in n)) * tanh(W @ sum(h[k] for k in n))")
    assert share(system) is system


def test_a_name_can_be_given():
    system = read_system("h[t] = tanh(W @ h[t-1]) + x[t]")
    inner = system.equations[0].value.arguments[0].arguments[0]
    named = name_nodes(system, {inner: "p"})
    assert show(named) == "p[t] = W @ h[t-1]\nh[t] = tanh(p[t]) + x[t]"


def test_joined_signals_are_called_joined():
    system = read_system("h[t] = W @ [x[t], h[t-1]] + tanh(V @ [x[t], h[t-1]])")
    assert [line.name for line in share(system).equations] == ["joined_1", "h"]
