"""Which equations stand in the loop."""

from __future__ import annotations

import pytest

from cellwise.equation import read_system, show
from cellwise.passes.hoist import hoist
from cellwise.passes.prune import prune
from cellwise.passes.sections import schedule

SECTIONS = [
    ("y[t] = tanh(U @ x[t])", (["y"], [], [])),
    ("h[t] = tanh(U @ x[t]) + h[t-1]", ([], ["h"], [])),
    ("e[t] = U @ x[t]\nh[t] = e[t] + h[t-1]", (["e"], ["h"], [])),
    ("h[t] = h[t-1] + x[t]\ny[t] = V @ h[t]\nz[t] = y[t] + x[t]", ([], ["h"], ["y", "z"])),
    # a state that takes part in no recurrence
    ("e[t] = U @ x[t]\ny[t] = e[t-1] + x[t]", (["e"], [], ["y"])),
    # two recurrences, one behind the other
    (
        "a[t] = a[t-1] + x[t]\nb[t] = b[t-1] * a[t]\nc[t] = a[t] * b[t]",
        ([], ["a", "b"], ["c"]),
    ),
    # through another state
    ("a[t] = b[t-1] + x[t]\nb[t] = tanh(a[t])\nc[t] = a[t-1]", ([], ["a", "b"], ["c"])),
    # joined signals of the loop are stored joined
    ("h[t] = tanh(h[t-1] + x[t])\nj[t] = [h[t], h[t]]", ([], ["h", "j"], [])),
    # the time reversed
    ("given g\nd[t] = g[t] * d[t+1] + x[t]\ne[t] = d[t] * g[t-1]", ([], ["d"], ["e"])),
]


@pytest.mark.parametrize(("text", "expected"), SECTIONS)
def test_sections(text, expected):
    program = schedule(read_system(text))
    sections = (program.before, program.loop, program.after)
    assert tuple([line.name for line in section] for section in sections) == expected


HOISTED = [
    (
        "h[t] = tanh(U @ x[t] + W @ h[t-1] + b)",
        "h_1[t] = U @ x[t] + b\nh[t] = tanh(h_1[t] + W @ h[t-1])",
    ),
    (
        "h[t] = tanh(W @ h[t-1] - (c - V @ u[t]) - U @ x[t])",
        "h_1[t] = V @ u[t] - (c + U @ x[t])\nh[t] = tanh(h_1[t] + W @ h[t-1])",
    ),
    (
        "h[t] = tanh(W @ h[t-1] - U @ x[t] - c)",
        "h_1[t] = -(U @ x[t] + c)\nh[t] = tanh(h_1[t] + W @ h[t-1])",
    ),
    (
        "h[t] = tanh(U @ x[t]) * h[t-1] + x[t] * h[t-1]",
        "h_1[t] = tanh(U @ x[t])\nh[t] = h_1[t] * h[t-1] + x[t] * h[t-1]",
    ),
    ("h[t] = tanh(W @ h[t-1] + b) + x[t]", "h[t] = tanh(W @ h[t-1] + b) + x[t]"),
]


@pytest.mark.parametrize(("text", "expected"), HOISTED)
def test_hoist(text, expected):
    assert show(hoist(read_system(text))) == expected


def test_trees_are_not_hoisted():
    system = read_system("h[n] = tanh(W @ sum(h[k] for k in n) + U @ x[n])")
    assert hoist(system) is system


def test_prune():
    text = """
        a[t] = x[t]
        b[t] = a[t]
        e[t] = [x[t], b[t]]
        p[t] = part(e[t], 1, x[t], x[t])
        q[t] = part(e[t], 0, x[t], x[t])
        dead[t] = tanh(p[t])
        deader[t] = dead[t]
        s[t] = a[t]
        h[t] = h[t-1] + p[t] * b[t] + s[t-1]"""
    system = read_system(text)
    assert show(prune(system, {"q"})) == (
        "e[t] = [x[t], x[t]]\n"
        "q[t] = part(e[t], 0, q, q)\n"
        "s[t] = x[t]\n"
        "h[t] = h[t-1] + part(e[t], 1, q, q) * x[t] + s[t-1]"
    )
