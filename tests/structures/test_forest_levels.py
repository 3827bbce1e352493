import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.structures.forest import Forest
from cellwise.structures.forest_levels import (
    by_value,
    graph_levels,
    on_a_circle,
    ranges,
    tree_levels,
    turned,
)
from tests.forests import graphs, height, parent_lists


def children_of(forest):
    return [
        forest.children[forest.first[node] : forest.first[node + 1]].tolist()
        for node in range(forest.n_nodes)
    ]


@given(st.lists(parent_lists(), max_size=4))
def test_levels_of_trees_against_a_recursive_reading(lists):
    forest = Forest.from_parents(lists)
    children = children_of(forest)
    above = children_of(forest.reversed())
    assert forest.levels.tolist() == [height(n, children) for n in range(forest.n_nodes)]
    assert forest.depths.tolist() == [height(n, above) for n in range(forest.n_nodes)]
    assert (graph_levels(forest.children, forest.first) == forest.levels).all()
    assert (graph_levels(*turned(forest.children, forest.first)) == forest.depths).all()


@given(graphs())
def test_levels_of_graphs_against_a_recursive_reading(graph):
    forest = Forest.from_edges(*graph)
    children = children_of(forest)
    assert forest.levels.tolist() == [height(n, children) for n in range(forest.n_nodes)]
    above = children_of(forest.reversed())
    assert forest.depths.tolist() == [height(n, above) for n in range(forest.n_nodes)]


@given(graphs())
def test_every_node_comes_after_its_children(graph):
    forest = Forest.from_edges(*graph)
    place = np.argsort(forest.order)
    assert (place[forest.children] < place[forest.readers]).all()
    for level in range(forest.n_levels):
        nodes = forest.order[forest.level_starts[level] : forest.level_starts[level + 1]]
        assert (forest.levels[nodes] == level).all()
        assert (np.diff(nodes) > 0).all()
    assert forest.level_starts[-1] == forest.n_nodes


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 1000, 100_000])
def test_chains_of_any_depth(depth):
    found = tree_levels(np.append(np.arange(1, depth), -1))
    assert found is not None
    assert (found[0] == np.arange(depth)).all()
    assert (found[1] == np.arange(depth)[::-1]).all()


def test_a_deep_graph():
    depth = 10_000
    pairs = np.stack([np.arange(1, depth), np.arange(depth - 1)], 1)
    twice = np.concatenate([pairs, np.stack([np.arange(2, depth), np.arange(depth - 2)], 1)])
    assert (Forest.from_edges(depth, twice).levels == np.arange(depth)).all()


def test_a_million_nodes():
    forest = Forest.from_parents([[-1, *((n - 1) // 2 for n in range(1, 25))]] * 40_000)
    assert forest.n_nodes == 1_000_000
    assert forest.levels.reshape(40_000, 25)[:, 0].tolist() == [4] * 40_000
    assert forest.level_starts.tolist() == [0, 520_000, 760_000, 880_000, 960_000, 1_000_000]


def test_circles_are_no_trees():
    parents = np.array([-1, 2, 3, 1, 1, 0])
    assert tree_levels(parents) is None
    assert on_a_circle(parents).tolist() == [1, 2, 3, 4]
    assert graph_levels(np.array([1, 0, 1]), np.array([0, 1, 2, 3, 3])).tolist() == [-1, -1, -1, 0]


@given(st.lists(st.integers(0, 100_000)))
def test_sorting_by_value_is_stable(values):
    expected = sorted(range(len(values)), key=values.__getitem__)
    assert by_value(np.array(values, np.int64)).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5))))
def test_ranges(pairs):
    starts, counts = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
    expected = [start + i for start, count in pairs for i in range(count)]
    assert ranges(starts, counts).tolist() == expected
