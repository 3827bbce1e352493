import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.errors import StructureError
from cellwise.structures.forest import Forest
from tests.forests import parent_lists

GOOD = [[-1, 0, 0], [1, -1]]


def complaint_of(build):
    with pytest.raises(StructureError) as error:
        build()
    return str(error.value)


@pytest.mark.parametrize(
    ("parents", "complaint"),
    [
        ([], "tree 2 is empty; a tree has one node at least"),
        (
            [-1, 3, 0],
            "tree 2, node 1: its parent is 3, but must be from 0 to 2, or -1 for the root",
        ),
        ([-2, -1], "tree 2, node 0: its parent is -2, but must be from 0 to 1, or -1 for the root"),
        (
            [1, -1, 1, -1, -1],
            "tree 2, node 3: is a second root, beside node 1; "
            "in a tree one node alone has no parent (-1)",
        ),
        (
            [1, 0],
            "tree 2 has no root: every node has a parent, so that they run in a circle; "
            "the root has none (-1)",
        ),
        ([-1, 1], "tree 2, node 1: is its own ancestor: 1 → 1"),
        ([-1, 0, 5, 2, 2, 3, 5], "tree 2, node 2: is its own ancestor: 2 → 5 → 3 → 2"),
        (
            [-1, *range(2, 12), 1],
            "tree 2, node 1: is its own ancestor: 1 → 2 → 3 → 4 → 5 → 6 → 7 → 8 → … → 1",
        ),
        (
            [0.5, -1],
            "tree 2: the parents must be a list of whole numbers, "
            "but are of type float64 with shape [2]",
        ),
        (
            [[-1, 0]],
            "tree 2: the parents must be a list of whole numbers, "
            "but are of type int64 with shape [1, 2]",
        ),
        (
            ["root"],
            "tree 2: the parents must be a list of whole numbers, "
            "but are of type <U4 with shape [1]",
        ),
    ],
)
def test_parents_that_are_no_tree(parents, complaint):
    assert complaint_of(lambda: Forest.from_parents([*GOOD, parents])) == complaint


def test_a_ragged_list_is_no_list_of_numbers():
    assert complaint_of(lambda: Forest.from_parents([[[1], [1, 2]]])).startswith(
        "tree 0: the parents must be a list of whole numbers: "
    )


@given(st.lists(parent_lists(), min_size=1, max_size=4), st.data())
def test_a_circle_is_found_wherever_it_is(lists, data):
    tree = data.draw(st.integers(0, len(lists) - 1))
    row = lists[tree]
    first = len(row)
    links = data.draw(st.lists(st.integers(0, 1000), min_size=1, max_size=5))
    circle = [first + (i + 1) % len(links) for i in range(len(links))]
    hanging = [first + link % len(links) for link in links]
    lists[tree] = row + circle + hanging
    path = " → ".join(map(str, [*range(first, first + len(links)), first]))
    assert complaint_of(lambda: Forest.from_parents(lists)) == (
        f"tree {tree}, node {first}: is its own ancestor: {path}"
    )


@pytest.mark.parametrize(
    ("children", "complaint"),
    [
        ([], "tree 1 is empty; a tree has one node at least"),
        ([[1, 2], []], "tree 1, node 0: its child 2 is not there; nodes are numbered from 0 to 1"),
        ([[-1]], "tree 1, node 0: its child -1 is not there; nodes are numbered from 0 to 0"),
        (
            [[1, 2], [2], []],
            "tree 1, node 2: is a child of node 0 and of node 1; in a tree a node has one parent "
            "(Forest.from_edges takes graphs whose nodes are shared)",
        ),
        (
            [[1, 1], []],
            "tree 1, node 1: is twice a child of node 0; in a tree a node has one parent "
            "(Forest.from_edges takes graphs whose nodes are shared)",
        ),
        (
            [[], [0], []],
            "tree 1, node 2: is a second root, beside node 1; "
            "in a tree one node alone has no parent (-1)",
        ),
        ([[], [2], [1]], "tree 1, node 1: is its own ancestor: 1 → 2 → 1"),
        ([1, 2], "tree 1: the children must be a list of lists, one for each node"),
        (
            [["a"], []],
            "tree 1: the children must be a list of whole numbers, "
            "but are of type <U1 with shape [1]",
        ),
    ],
)
def test_children_that_are_no_tree(children, complaint):
    assert complaint_of(lambda: Forest.from_children([[[1], []], children])) == complaint


@pytest.mark.parametrize(
    ("edges", "slots", "complaint"),
    [
        (
            [(1, 0), (2, 3)],
            (),
            "tree 1, node 2: its child 3 is not there; nodes are numbered from 0 to 2",
        ),
        (
            [(3, 0)],
            (),
            "tree 1: the edge (3, 0) starts at node 3, which is not there; "
            "nodes are numbered from 0 to 2",
        ),
        ([(1, 0), (0, 2), (2, 1)], (), "tree 1, node 0: is its own descendant: 0 → 2 → 1 → 0"),
        ([(1, 2), (0, 1), (2, 2)], (), "tree 1, node 2: is its own descendant: 2 → 2"),
        (
            [(2, 0), (2, 1), (2, 0)],
            (),
            "tree 1, node 2: holds node 0 twice as a child; a set of children holds it once",
        ),
        (
            [(2, 0, "left"), (2, 1, "left")],
            ("left", "up"),
            "tree 1, node 2: the slot 'left' holds nodes 0 and 1; a slot holds one child",
        ),
        (
            [(2, 0, "left"), (2, 1, "lefd")],
            ("left", "up"),
            "tree 1, edge 1: there is no slot 'lefd'; the slots are 'left' and 'up'. "
            "Did you mean 'left'?",
        ),
        (
            [(2, 0)],
            ("left", "up"),
            "tree 1, edge 0: an edge is (node, child, slot) here, but this is (2, 0)",
        ),
        (
            [(2, 0, "left")],
            (),
            "tree 1, edge 0: an edge is (node, child) here, but this is (2, 0, 'left')",
        ),
        ([5], (), "tree 1, edge 0: an edge is (node, child) here, but this is 5"),
        (
            [(2, 0.5)],
            (),
            "tree 1: the nodes of the edges must be a list of whole numbers, "
            "but are of type float64 with shape [2]",
        ),
        (
            np.array([[2, 0.5]]),
            (),
            "tree 1: the nodes of the edges must be a list of whole numbers, "
            "but are of type float64 with shape [2]",
        ),
    ],
)
def test_edges_that_are_no_graph(edges, slots, complaint):
    assert complaint_of(lambda: Forest.from_edges([1, 3], [[], edges], slots=slots)) == complaint


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (
            lambda: Forest.from_edges([3, 0], [[], []]),
            "tree 1 is empty; a tree has one node at least",
        ),
        (
            lambda: Forest.from_edges([3, -1], [[], []]),
            "tree 1 has -1 nodes; a tree has one node at least",
        ),
        (
            lambda: Forest.from_edges([3, 4], [[]]),
            "n tells the nodes of 2 graphs, but there are edges for 1",
        ),
        (lambda: Forest.chain([2, 0]), "tree 1 is empty; a tree has one node at least"),
        (
            lambda: Forest.chain(3),
            "lengths must be a list of whole numbers, but are of type int64 with shape []",
        ),
        (
            lambda: Forest.grid([(2, 2), (3, 0)]),
            "tree 1: a grid has rows and columns, one at least of each, but this has [3, 0]",
        ),
        (
            lambda: Forest.grid([(2, 2, 2)]),
            "tree 0: a grid has rows and columns, one at least of each, but this has [2, 2, 2]",
        ),
        (
            lambda: Forest.from_edges(3, [(1, 0), (2, 0)]).parents,
            "tree 0, node 0: is a child of node 1 and of node 2; in a tree a node has one parent "
            "(Forest.from_edges takes graphs whose nodes are shared)",
        ),
    ],
)
def test_complaints(build, complaint):
    assert complaint_of(build) == complaint


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (Forest.from_parents, "the parents of trees must be a list, not NoneType"),
        (Forest.from_children, "the children of trees must be a list, not NoneType"),
        (Forest.from_brackets, "the lines of trees must be a list, not NoneType"),
        (Forest.grid, "the shapes of grids must be a list, not NoneType"),
        (
            lambda _: Forest.from_edges(2, None),
            "tree 0: the edges must be a list, not None",
        ),
        (lambda _: Forest.from_edges([2], None), "edges must be a list, not NoneType"),
        (
            lambda _: Forest.from_edges(2, [(1, 0, "a")], slots="ab"),
            "slots must be a list of names, not 'ab'",
        ),
        (
            lambda _: Forest.from_edges(2, [(1, 0, "a")], slots=("a", "a")),
            "two slots are called 'a'; each needs a name of its own",
        ),
    ],
)
def test_what_is_no_list_is_refused(build, complaint):
    assert complaint_of(lambda: build(None)) == complaint


def test_numbers_beyond_int64_are_refused():
    with pytest.raises(StructureError, match="must be whole numbers below"):
        Forest.from_parents([np.array([2**64 - 1, 0], np.uint64)])


def test_a_text_is_no_list_of_labels():
    with pytest.raises(StructureError, match="must be a list, not one text, 'ab'"):
        Forest.from_edges(3, [(0, 1), (0, 2)], relations="ab")


def test_forests_with_and_without_relations_are_not_put_together():
    named, plain = (
        Forest.from_parents([[-1, 0]], relations=[["root", "a"]], relation_names=["root", "a"]),
        Forest.from_parents([[-1, 0]]),
    )
    numbered = Forest.from_parents([[-1]], relations=[["root"]])
    assert "1 relation)" in repr(Forest.from_parents([[-1, 0]], relations=[["x", "a"]]))
    for forests in ([named, plain], [plain, named], [numbered, plain]):
        with pytest.raises(StructureError, match=r"has relations, but forest \d has none"):
            Forest.concat(forests)
