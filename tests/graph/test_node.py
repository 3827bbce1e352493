"""Nodes: interned, walked and rewritten without recursion."""

from __future__ import annotations

import copy
import gc
from concurrent.futures import ThreadPoolExecutor

from cellwise.graph.build import add, build, mul, neg, number, parameter, read, remake, sub
from cellwise.graph.dimension import Dim
from cellwise.graph.node import _nodes, rewrite, walk

H = (Dim.of("h"),)
x = read("x", "t", H)


def test_equal_expressions_are_one_object():
    assert add(x, x) is add(x, x)
    assert add(x, number(1)) is not add(number(1), x)


def test_attributes_of_different_types_differ():
    whole = read("e", "t", (Dim.of("h") + Dim.of("h"),))
    assert build("part", whole, attributes=(0, (H[0], H[0]))) is not build(
        "part", whole, attributes=(1, (H[0], H[0]))
    )


def test_nodes_that_nobody_holds_are_let_go():
    gc.collect()
    before = len(_nodes)
    node = neg(read("only here", "t", H))
    assert len(_nodes) == before + 2
    del node
    gc.collect()
    assert len(_nodes) == before


def test_copies_are_the_same_object():
    node = mul(x, number(2))
    assert copy.deepcopy(node) is node
    assert copy.copy(node) is node


def test_threads_get_the_same_node():
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: add(neg(x), number(i % 3)), range(300)))
    assert len(set(found)) == 3


def test_walk_gives_arguments_first_and_each_node_once():
    node = add(neg(x), mul(neg(x), x))
    assert list(walk([node, x])) == [x, neg(x), mul(neg(x), x), node]


def test_deep_expressions_need_no_recursion():
    node = x
    for _ in range(20_000):
        node = neg(node)
    assert sum(1 for _ in walk([node])) == 20_001
    (same,) = rewrite([node], remake, {})
    assert same is node


def test_rewrite_shares_its_memory():
    memo = {x: read("u", "t", H)}
    (first,) = rewrite([sub(x, number(1))], remake, memo)
    (second,) = rewrite([neg(x)], remake, memo)
    assert first is sub(read("u", "t", H), number(1))
    assert second is neg(read("u", "t", H))


def test_repr_shows_the_expression():
    assert repr(neg(number(2))) == "neg(number(2.0))"
    assert repr(parameter("b", ())) == "parameter('b', ())"
