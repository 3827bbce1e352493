"""Products that become one, and totals that do."""

from __future__ import annotations

import pytest

from cellwise.equation import read_system, show
from cellwise.graph.verify import verify
from cellwise.passes.accumulate import accumulate
from cellwise.passes.group import group, merge

GROUPED = [
    # same operand, with and without a bias
    (
        "a[t] = U @ x[t] + b\nc[t] = V @ x[t]\nh[t] = a[t] * h[t-1] * c[t]",
        "x_1[t] = [U, V] @ x[t] + [b, broadcast(0, a)]",
    ),
    ("h[t] = tanh(W @ h[t-1]) * (V @ h[t-1])", "h_1[t] = [W, V] @ h[t-1]"),
    ("h[t] = W @ h[t-1] * (V @ x[t])", "h_1[t] = W @ h[t-1]"),
    # two operands each
    (
        "a[t] = U @ x[t] + V @ u[t]\nc[t] = Q @ x[t] + R @ u[t]\nh[t] = a[t] * h[t-1] + c[t]",
        "x_1[t] = [U, Q] @ x[t] + [V, R] @ u[t]",
    ),
    (
        "h[t] = bilinear(V, x[t], h[t-1]) * bilinear(Q, x[t], h[t-1])",
        "x_1[t] = bilinear([V, Q], x[t], h[t-1])",
    ),
]


@pytest.mark.parametrize(("text", "line"), GROUPED)
def test_products_of_one_operand_are_one(text, line):
    grouped = group(read_system(text))
    verify(grouped)
    assert line in show(grouped).splitlines()


def test_what_the_loop_does_not_need_is_not_done_in_it():
    text = "given g\nd[t] = x[t] + e[t+1]\ne[t] = W.T @ d[t]\ny[t] = U.T @ d[t]"
    grouped = group(read_system(text))
    assert [line.name for line in grouped.equations] == ["d", "e", "y"]


MERGED = [
    (
        "d[t] = x[t] + e[t+1]\nc[t] = d[t] * u[t]\ne[t] = A.T @ c[t] + B.T @ d[t]",
        "e[t] = [B, A].T @ [d[t], c[t]]",
    ),
    (
        "d[t] = x[t] + e[t+1]\nc[t] = d[t] * u[t]\ne[t] = u[t] - A.T @ c[t] + B @ d[t] - d[t]",
        "e[t] = u[t] + [B.T, -A].T @ [d[t], c[t]] - d[t]",
    ),
    (
        "d[t] = x[t] + e[t+1]\ne[t] = A.T @ d[t] + B @ d[t]",
        "e[t] = (A.T + B) @ d[t]",
    ),
    ("h[t] = A @ h[t-1] + B @ x[t]", "h[t] = A @ h[t-1] + B @ x[t]"),
]


@pytest.mark.parametrize(("text", "line"), MERGED)
def test_sums_of_products_are_one(text, line):
    merged = merge(read_system(text))
    verify(merged)
    assert show(merged).splitlines()[-1] == line


TOTALS = [
    # one operand, one product; the plain sums go along
    (
        "h[t] = x[t] + h[t+1]\nd[t] = 2 * h[t]\nd_U = sum(outer(h[t], x[t]) for t)\n"
        "d_V = sum(outer(d[t], x[t]) for t)\nd_b = sum(d[t] for t)\nd_c = sum(h[t] for t)",
        "d_U = part(sum(outer([h[t], d[t]], x[t]) for t), 0, h, h)\n"
        "d_V = part(sum(outer([h[t], d[t]], x[t]) for t), 1, h, h)\n"
        "d_b = part(sum([h[t], d[t]] for t), 1, h, h)\n"
        "d_c = part(sum([h[t], d[t]] for t), 0, h, h)",
    ),
    # sums and transposed products are taken apart
    (
        "h[t] = x[t] + h[t+1]\nd_W = sum(outer(h[t], x[t]) - outer(x[t], h[t]).T for t)",
        "d_W = sum(outer(h[t], x[t]) for t) - sum(outer(h[t], x[t]) for t)",
    ),
    # nothing in common
    (
        "h[t] = x[t] + h[t+1]\nd_W = sum(outer(h[t], x[t]) for t)\nd_b = sum(h[t] for t)",
        "d_W = sum(outer(h[t], x[t]) for t)\nd_b = sum(h[t] for t)",
    ),
]


@pytest.mark.parametrize(("text", "expected"), TOTALS)
def test_totals(text, expected):
    found = accumulate(read_system(text))
    verify(found)
    totals = [line for line in show(found).splitlines() if line.startswith("d_")]
    assert totals == expected.splitlines()


def test_without_totals_nothing_is_accumulated():
    system = read_system("h[t] = x[t] + h[t-1]")
    assert accumulate(system) is system
