"""Sums over steps, nodes, leaves and edges: what is read, and what is refused."""

from __future__ import annotations

import pytest

from cellwise.equation import read_system
from cellwise.graph.build import add, read, sum_children, sum_parents, total
from tests.equation.refusal import refusal


def test_a_sum_over_parents_is_of_edges_as_the_parent_sees_them():
    text = "given d, f, e\nh[n] = sum(d[p] + f[p,n] + e[n] for p in parents_left)"
    (line,) = read_system(text).equations
    size = line.value.shape
    d, f, e = (read(name, i, size) for name, i in (("d", "n"), ("f", "n,k"), ("e", "k")))
    assert line.value is sum_parents(add(d, f, e), "left")


def test_totals_over_nodes_leaves_and_edges():
    text = (
        "given h\nh_1[n] = h[n]\nh_1[leaf] = h[leaf]\na = sum(h[n] for n)\n"
        "b = sum(h[leaf] for leaf)\nc = sum(h[k] for n,k)\nd = sum(sum(h[k] for k in n) for n)"
    )
    a, b, c, d = (line.value for line in read_system(text).totals)
    size = a.shape
    assert a is total(read("h", "n", size))
    assert b is total(read("h", "leaf", size))
    assert c is d is total(sum_children(read("h", "k", size)))


def test_a_leaf_is_read_as_a_leaf_however_it_is_written():
    one, two = (read_system(f"h[leaf] = tanh(U @ x[{i}])\nh[n] = h[left]") for i in ("n", "leaf"))
    assert one == two


REFUSED = [
    (
        "h[n] = x[n] + sum(h[left] for k in n)",
        "EquationError: line 1, column 19: 'h[left]' is read at an edge, which has only "
        "[n], [k] and [n,k]\n"
        "    h[n] = x[n] + sum(h[left] for k in n)\n"
        "                      ^^^^^^^\n"
        "  Carry it in a line of the node: p[n] = h[left], then p[n].",
    ),
    (
        "given d\nh[n] = sum(d[k] for p in parents)",
        "EquationError: line 2, column 12: 'd[k]' stands in a sum over parents\n"
        "    h[n] = sum(d[k] for p in parents)\n"
        "               ^^^^\n"
        "  There [p] is the parent, [p,n] the edge and [n] this node.",
    ),
    (
        "given d\nh[n] = d[p]",
        "EquationError: line 2, column 8: unknown index '[p]' of 'd'\n"
        "    h[n] = d[p]\n"
        "           ^^^^\n"
        "  Write sum(d[p] for p in parents).",
    ),
    (
        "given d\nf[n,k] = sum(d[p] for p in parents)\nh[n] = d[n]",
        "EquationError: line 2, column 10: 'for p in parents' stands in a line that defines "
        "name[n] or name[leaf], and not within another\n"
        "    f[n,k] = sum(d[p] for p in parents)\n"
        "             ^^^^^^^^^^^^^^^^^^^^^^^^^^",
    ),
    (
        "given d\nh[n] = d[n]\nd_W = sum(d[n] * 2 for leaf)",
        "EquationError: line 3, column 7: 'sum(d[n] * 2 for leaf)' reads nothing at [leaf]\n"
        "    d_W = sum(d[n] * 2 for leaf)\n"
        "          ^^^^^^^^^^^^^^^^^^^^^^",
    ),
    (
        "given d\nh[n] = d[n]\nd_W = sum(d[leaf] + d[n] for leaf)",
        "EquationError: line 3, column 21: 'd[n]' is read in a sum over leaves\n"
        "    d_W = sum(d[leaf] + d[n] for leaf)\n"
        "                        ^^^^\n"
        "  Write d[leaf].",
    ),
    (
        "given d\nh[n] = d[n]\nd_W = sum(d[n] for t)",
        "EquationError: line 3, column 7: 'sum(d[n] for t)' mixes steps [t] and nodes [n]\n"
        "    d_W = sum(d[n] for t)\n"
        "          ^^^^^^^^^^^^^^^\n"
        "  A cell runs over a chain ([t], [t-1]) or over a tree ([n], [k]), not over both.",
    ),
    (
        "given d\nh[n] = d[n]\nd_W = d[n] + sum(d[n] for n)",
        "EquationError: line 3, column 7: 'd[n]' has no node in a line without an index\n"
        "    d_W = d[n] + sum(d[n] for n)\n"
        "          ^^^^\n"
        "  Write sum(... for n).",
    ),
    (
        "given d\nh[n] = d[n] + sum(d[n] for n)",
        "EquationError: line 2, column 15: 'sum(d[n] for n)' is over all nodes, but 'h[n]' "
        "is one node\n"
        "    h[n] = d[n] + sum(d[n] for n)\n"
        "                  ^^^^^^^^^^^^^^^\n"
        "  A sum over all nodes stands in a line without an index: d_W = sum(... for n).",
    ),
    (
        "given d\nh[n] = sum(d[p] for p in parents_down)",
        "EquationError: line 2, column 8: unknown range 'for p in parents_down'\n"
        "    h[n] = sum(d[p] for p in parents_down)\n"
        "           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  Write 'for p in parents', or for one slot parents_left, parents_right, parents_up.",
    ),
    (
        "h[n] = sum(g[p] for p in parents) + x[n]",
        "EquationError: line 1, column 12: unknown state 'g'\n"
        "    h[n] = sum(g[p] for p in parents) + x[n]\n"
        "               ^\n"
        "  'g' is read at [p] but no line defines g[n].",
    ),
    (
        "given d\nh[n] = sum(h[n] for p in parents)",
        "EquationError: line 2, column 12: a cycle within a step: h -> h\n"
        "    h[n] = sum(h[n] for p in parents)\n"
        "               ^^^^\n"
        "  One of them must be read at the step before, for example h[k].",
    ),
    (
        "given d\nh[n] = d[n]\nd_W = sum(sum(d[n] for n) for n)",
        "EquationError: line 3, column 11: 'sum(d[n] for n)' stands within another sum over "
        "the nodes\n"
        "    d_W = sum(sum(d[n] for n) for n)\n"
        "              ^^^^^^^^^^^^^^^",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_refused(text, message):
    assert refusal(text) == message
