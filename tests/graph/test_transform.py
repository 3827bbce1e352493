"""Rewriting a whole system."""

from __future__ import annotations

from cellwise.equation import read_system, show
from cellwise.graph.build import build, remake
from cellwise.graph.node import Node
from cellwise.graph.transform import rewrite_system


def swap(node: Node, arguments: tuple[Node, ...]) -> Node:
    return build("relu", *arguments) if node.operation == "tanh" else remake(node, arguments)


def test_all_lines_are_rewritten_and_keep_comment_and_place():
    system = read_system("h[t] = tanh(x[t]) + h[t-1]  # state\nall_h = sum(tanh(h[t]) for t)")
    changed = rewrite_system(system, swap)
    assert "tanh" not in show(changed)
    assert changed.equations[0].comment == "state"
    assert changed.equations[0].span == system.equations[0].span


def test_new_nodes_take_the_place_of_the_old_ones():
    system = read_system("h[t] = tanh(x[t]) + h[t-1]")
    changed = rewrite_system(system, swap)
    old, new = (s.equations[0].value.arguments[0] for s in (system, changed))
    assert changed.spans[new] == system.spans[old]


def test_leaves_of_trees_are_rewritten():
    system = read_system("h[leaf] = tanh(x[n])\nh[n] = tanh(W @ sum(h[k] for k in n))")
    assert show(rewrite_system(system, swap)).count("relu") == 2
