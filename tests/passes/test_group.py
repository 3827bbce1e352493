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
        "x_1[t] = concat(U, V) @ x[t] + concat(b, broadcast(0))",
    ),
    ("h[t] = tanh(W @ h[t-1]) * (V @ h[t-1])", "h_1[t] = concat(W, V) @ h[t-1]"),
    ("h[t] = W @ h[t-1] * (V @ x[t])", "h_1[t] = W @ h[t-1]"),
    # two operands each
    (
        "a[t] = U @ x[t] + V @ u[t]\nc[t] = Q @ x[t] + R @ u[t]\nh[t] = a[t] * h[t-1] + c[t]",
        "x_1[t] = concat(U, Q) @ x[t] + concat(V, R) @ u[t]",
    ),
    (
        "h[t] = bilinear(V, x[t], h[t-1]) * bilinear(Q, x[t], h[t-1])",
        "x_1[t] = bilinear(concat(V, Q), x[t], h[t-1])",
    ),
]


@pytest.mark.parametrize(("text", "line"), GROUPED)
def test_products_of_one_operand_are_one(text, line):
    grouped = group(read_system(text))
    verify(grouped)
    name = line.partition("[")[0]
    (found,) = (e for e in grouped.equations if e.name == name)
    assert found.value.operation in ("add", "matmul", "bilinear")
    found_operations = [n.operation for n in grouped.roots()]
    assert found_operations.count(found.value.operation) >= 1
    assert line.partition(" = ")[2].split("(")[0] in str(found) or line in show(grouped)


def test_what_the_loop_does_not_need_is_not_done_in_it():
    text = "given g\nd[t] = x[t] + e[t+1]\ne[t] = W.T @ d[t]\ny[t] = U.T @ d[t]"
    grouped = group(read_system(text))
    assert [line.name for line in grouped.equations] == ["d", "e", "y"]


MERGED = [
    (
        "d[t] = x[t] + e[t+1]\nc[t] = d[t] * u[t]\ne[t] = A.T @ c[t] + B.T @ d[t]",
        "e[t] = concat(B, A).T @ [d[t], c[t]]",
    ),
    (
        "d[t] = x[t] + e[t+1]\nc[t] = d[t] * u[t]\ne[t] = u[t] - A.T @ c[t] + B @ d[t] - d[t]",
        "e[t] = u[t] - d[t] + concat(B.T, -A).T @ [d[t], c[t]]",
    ),
    (
        "d[t] = x[t] + e[t+1]\ne[t] = A.T @ d[t] + B @ d[t]",
        "e[t] = concat((A.T + B).T).T @ [d[t]]",
    ),
    ("h[t] = A @ h[t-1] + B @ x[t]", "h[t] = A @ h[t-1] + B @ x[t]"),
]


@pytest.mark.parametrize(("text", "line"), MERGED)
def test_sums_of_products_are_one(text, line):
    merged = merge(read_system(text))
    verify(merged)
    assert show(merged).splitlines()[-1] == line
