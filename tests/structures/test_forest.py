import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.brackets import from_nltk, parse
from cellwise.errors import StructureError
from cellwise.structures.forest import Forest
from tests.forests import constituents, graphs, listed, parent_lists
from tests.test_brackets import NltkTree

LINES = ["(3 (2 It) (4 (2 's) (4 good)))", "(1 (2 a) (1 bad))", "(0 no)"]


def children_of(forest):
    return [forest.children[a:b].tolist() for a, b in pairwise(forest.first.tolist())]


def test_brackets_number_nodes_as_they_open():
    forest = Forest.from_brackets(LINES)
    assert forest.sizes.tolist() == [5, 3, 1]
    assert children_of(forest) == [[1, 2], [], [3, 4], [], [], [6, 7], [], [], []]
    assert forest.words == (None, "It", None, "'s", "good", None, "a", "bad", "no")
    assert forest.labels == tuple("324241210")
    assert repr(forest) == "Forest(3 trees, 9 nodes)"


def test_brackets_come_as_text_as_lines_or_as_trees():
    forest = Forest.from_brackets(LINES)
    assert Forest.from_brackets("\n".join(LINES)) == forest
    assert Forest.from_brackets(iter(LINES)) == forest
    assert Forest.from_brackets(parse(LINES)) == forest
    nltk = NltkTree("0", ["no"])
    assert Forest.from_brackets([*parse(LINES[:2]), nltk]) == forest
    assert Forest.from_brackets([from_nltk(nltk)]) == forest.select([2])


def test_parents_make_children_in_the_order_of_their_numbers():
    forest = Forest.from_parents([[2, 2, -1, 1], [-1]])
    assert children_of(forest) == [[], [3], [0, 1], [], []]
    assert forest.parents.tolist() == [2, 2, -1, 1, -1]
    assert forest.roots.tolist() == [2, 4]


@pytest.mark.parametrize("form", [list, np.array, torch.tensor])
def test_parents_come_in_any_form(form):
    assert Forest.from_parents([form([1, -1])]) == Forest.from_parents([[1, -1]])


def test_children_keep_their_order():
    forest = Forest.from_children([[[2, 1], [], [3], []], [[]]])
    assert children_of(forest) == [[2, 1], [], [3], [], []]


@given(st.lists(parent_lists(), max_size=5))
def test_children_and_parents_say_the_same(lists):
    forest = Forest.from_parents(lists)
    children = [
        [[i for i, p in enumerate(row) if p == n] for n in range(len(row))] for row in lists
    ]
    assert Forest.from_children(children) == forest
    assert forest.n_nodes == sum(map(len, lists))
    assert len(forest) == forest.n_trees == len(lists)


def test_a_chain_is_a_unary_tree_whose_root_is_its_last_step():
    forest = Forest.chain([3, 1, 2])
    assert forest == Forest.from_parents([[1, 2, -1], [-1], [1, -1]])
    assert forest.roots.tolist() == [2, 3, 5]
    assert forest.levels.tolist() == [0, 1, 2, 0, 0, 1]
    assert forest.depths.tolist() == [2, 1, 0, 0, 1, 0]
    assert Forest.chain(torch.tensor([3, 1, 2])) == forest


def test_a_node_of_a_grid_reads_left_and_up():
    forest = Forest.grid([(2, 3), (1, 1)])
    assert children_of(forest) == [[], [0], [1], [0], [3, 1], [4, 2], []]
    assert listed(forest.slots) == [0, 0, 1, 0, 1, 0, 1]
    assert forest.slot_names == ("left", "up")
    assert forest.levels.tolist() == [0, 1, 2, 1, 2, 3, 0]
    assert forest.depths.tolist() == [3, 2, 1, 2, 1, 0, 0]
    assert repr(forest) == "Forest(2 trees, 7 nodes, slots left and up)"


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=3))
def test_a_grid_is_the_graph_of_its_edges(shapes):
    edges = [
        [
            edge
            for r in range(rows)
            for c in range(columns)
            for edge in [(r * columns + c, r * columns + c - 1, "left")] * (c > 0)
            + [(r * columns + c, (r - 1) * columns + c, "up")] * (r > 0)
        ]
        for rows, columns in shapes
    ]
    sizes = [rows * columns for rows, columns in shapes]
    grid = Forest.grid(shapes)
    assert Forest.from_edges(sizes, edges, slots=("left", "up")) == grid
    assert (graph_levels_of(grid) == grid.levels).all()


def graph_levels_of(forest):
    edges = list(zip(forest.readers.tolist(), forest.children.tolist(), strict=True))
    return Forest.from_edges(max(forest.n_nodes, 1), edges).levels[: forest.n_nodes]


def test_edges_come_as_pairs_or_as_an_array():
    pairs = [(2, 1), (2, 0), (1, 0)]
    forest = Forest.from_edges(3, pairs)
    assert children_of(forest) == [[], [0], [1, 0]]
    assert Forest.from_edges(3, np.array(pairs)) == forest
    assert Forest.from_edges([3], [pairs]) == forest
    assert not forest.are_trees


def test_one_child_may_be_in_two_slots():
    forest = Forest.from_edges(2, [(1, 0, "b"), (1, 0, "a")], slots=("a", "b"))
    assert forest.children.tolist() == [0, 0]
    assert listed(forest.slots) == [1, 0]


@given(st.lists(parent_lists(), min_size=1, max_size=6), st.data())
def test_selecting_is_building_anew(lists, data):
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    relations = [[(3 * i) % 5 for i in range(len(row))] for row in lists]
    forest = Forest.from_parents(lists, relations=relations, relation_names=5)
    anew = Forest.from_parents(
        [lists[i] for i in chosen], relations=[relations[i] for i in chosen], relation_names=5
    )
    selected = forest.select(chosen)
    assert selected == anew
    assert (selected.levels == anew.levels).all()
    assert (selected.depths == anew.depths).all()
    assert (selected.order == anew.order).all()


@given(st.lists(constituents(), min_size=1, max_size=4), st.data())
def test_selecting_takes_words_and_labels_along(trees, data):
    chosen = data.draw(st.lists(st.integers(0, len(trees) - 1), min_size=1, max_size=6))
    anew = Forest.from_brackets([trees[i] for i in chosen])
    assert Forest.from_brackets(trees).select(torch.tensor(chosen)) == anew


@given(st.lists(graphs(), min_size=1, max_size=4))
def test_selecting_each_graph_and_putting_them_together_is_the_identity(found):
    forest = Forest.from_edges([n for n, _ in found], [edges for _, edges in found])
    again = Forest.concat([forest.select([tree]) for tree in range(len(forest))])
    assert again == forest
    assert (again.levels == forest.levels).all()
    assert (again.depths == forest.depths).all()


def test_putting_together_keeps_words_slots_and_relations():
    forest = Forest.from_brackets(LINES).binary()
    assert Forest.concat([forest.select([0]), forest.select([1, 2])]) == forest
    without = Forest.from_children([[[1, 2], [], []]]).binary()
    assert Forest.concat([forest, without]).words == ()
    named = Forest.from_parents([[-1, 0], [-1]], relations=[["root", "obj"], ["root"]])
    assert Forest.concat([named.select([0]), named.select([1])]) == named


def test_binary_trees_have_a_left_and_a_right_child():
    forest = Forest.from_brackets(LINES).binary()
    assert forest.slot_names == ("left", "right")
    assert listed(forest.slots) == [0, 1, 0, 1, 0, 1]
    assert forest.binary() is forest
    assert forest.select([1]) == Forest.from_brackets(LINES[1:2]).binary()


@given(st.lists(graphs(), min_size=1, max_size=4))
def test_turning_round_twice_is_the_identity_but_for_the_order_of_children(found):
    forest = Forest.from_edges([n for n, _ in found], [sorted(edges) for _, edges in found])
    down = forest.reversed()
    assert down.reversed() == forest
    assert (down.levels == forest.depths).all()
    assert set(zip(down.children.tolist(), down.readers.tolist(), strict=True)) == set(
        zip(forest.readers.tolist(), forest.children.tolist(), strict=True)
    )


def test_turned_round_each_node_reads_its_parent():
    forest = Forest.from_parents([[3, 2, -1, 2]], relations=[[2, 0, 3, 1]])
    assert listed(forest.relations) == [0, 1, 2]
    down = forest.reversed()
    assert children_of(down) == [[3], [2], [], [2]]
    assert listed(down.relations) == [2, 0, 1]
    assert down.leaves.tolist() == forest.roots.tolist() == [2]
    assert down.levels.tolist() == [2, 1, 0, 1]


def test_turned_round_slots_stay_where_they_can():
    grid = Forest.grid([(2, 2)]).reversed()
    assert children_of(grid) == [[1, 2], [3], [3], []]
    assert listed(grid.slots) == [0, 1, 1, 0]
    shared = Forest.from_edges(3, [(1, 0, "a"), (2, 0, "a")], slots=("a",))
    with pytest.raises(StructureError) as error:
        shared.reversed()
    assert str(error.value) == (
        "tree 0, node 0: the slot 'a' holds nodes 1 and 2; a slot holds one child"
    )
    assert children_of(shared.reversed(keep_slots=False)) == [[1, 2], [], []]


def test_equality_and_hash_go_by_value():
    one, two = Forest.chain([2, 1]), Forest.from_parents([[1, -1], [-1]])
    assert one == two
    assert hash(one) == hash(two)
    assert one != Forest.chain([1, 2])
    assert Forest.from_brackets(["(A x)"]) != Forest.from_brackets(["(B x)"])
    assert one != "a forest"


def test_a_forest_without_trees():
    empty = Forest.from_parents([])
    assert empty == Forest.from_brackets([]) == Forest.from_children([]) == Forest.chain([])
    assert repr(empty) == "Forest(0 trees, 0 nodes)"
    assert empty.select([]) == empty.reversed() == empty
    assert Forest.concat([empty, Forest.chain([2])]) == Forest.chain([2])
    assert (empty.n_levels, len(empty.order), len(Forest.grid([]))) == (0, 0, 0)


def test_nobody_changes_the_arrays():
    forest = Forest.from_parents([[1, -1]])
    with pytest.raises(ValueError, match="read-only"):
        forest.children[0] = 1


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        (
            lambda forest: forest.select([0, 3]),
            "there is no tree 3; the forest has 3, counted from 0",
        ),
        (
            lambda forest: forest.select([-1]),
            "there is no tree -1; the forest has 3, counted from 0",
        ),
        (
            lambda forest: forest.select([True]),
            "the trees must be a list of whole numbers, but are of type bool with shape [1]",
        ),
        (
            lambda forest: Forest.from_brackets(
                ["(A (B x) (C y))", "(A (B x) (C (D y)))"]
            ).binary(),
            "tree 1, node 2: has 1 child; in a binary tree every inner node has two "
            "(cellwise.data.trees_reshape.reshape makes trees binary)",
        ),
        (
            lambda forest: Forest.from_parents([[-1, 0, 0, 0]]).binary(),
            "tree 0, node 0: has 3 children; in a binary tree every inner node has two "
            "(cellwise.data.trees_reshape.reshape makes trees binary)",
        ),
        (
            lambda forest: Forest.grid([(2, 2)]).binary(),
            "the children are in the slots left and up already; "
            "Forest.from_edges(..., slots=('left', 'right')) names them otherwise",
        ),
        (lambda forest: Forest.concat([]), "there are no forests to put together"),
        (
            lambda forest: Forest.concat([forest, None]),  # type: ignore[list-item]
            "forest 1 is a NoneType, no Forest",
        ),
        (
            lambda forest: Forest.concat([forest, forest.binary()]),
            "forest 1: slot_names is ('left', 'right'), but of forest 0 it is ()",
        ),
        (
            lambda forest: Forest.from_brackets([*LINES, "(0 no", ""]),
            "tree 3: line 4, column 1: the tree that begins here lacks a ')'",
        ),
        (
            lambda forest: Forest.from_brackets([NltkTree("A", ["x"]), NltkTree("A", [])]),
            "tree 1: '(A' ends without a word or a bracket in it",
        ),
    ],
)
def test_complaints(action, complaint):
    with pytest.raises(StructureError) as error:
        action(Forest.from_brackets(LINES))
    assert str(error.value) == complaint


ARRAYS = (
    "bounds first children sizes tree_of_node readers n_children leaves roots parents levels "
    "depths order level_starts"
).split()


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("name", ARRAYS)
def test_nobody_changes_an_array(name, pickled):
    forest = Forest.from_parents([[-1, 0, 0, 1]])
    if pickled:
        assert forest.levels.max() == 2  # known when it is copied
        forest = pickle.loads(pickle.dumps(forest))  # noqa: S301 - our own
    with pytest.raises(ValueError, match="read-only"):
        getattr(forest, name)[:] = 0


def test_lines_of_a_text_end_where_those_of_a_file_do():
    for blank in "\u2028\x85\x1c":
        line = f"(X a{blank}b)"
        assert Forest.from_brackets(line) == Forest.from_brackets([line])
    assert Forest.from_brackets("(X\r\n a)\r\n").words == ("a",)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([["S", "a"]], "item 0 is a list"),
        ([b"(S a)"], "item 0 is a bytes"),
        ([*parse(["(S a)"]), "(S b)"], "item 1 is a text among trees"),
    ],
)
def test_what_is_no_tree_is_told_by_its_place(lines, found):
    with pytest.raises(StructureError) as error:
        Forest.from_brackets(lines)
    assert str(error.value).startswith(f"{found}; trees come as texts in brackets")


def test_empty_forests_take_no_words_from_others():
    one, empty = Forest.from_brackets(["(S a)"]), Forest.from_brackets([])
    both = Forest.concat(iter([empty, one, empty]))
    assert both == one and both.words == ("a",)
    with pytest.raises(StructureError, match=r"^the forests must be a list, not int"):
        Forest.concat(3)  # type: ignore[arg-type]
    with pytest.raises(StructureError, match=r"^the forests must be a list, not Forest"):
        Forest.concat(one)  # type: ignore[arg-type]


def test_edges_may_be_rows_of_arrays_and_tensors():
    wanted = Forest.from_edges(3, [(2, 0), (2, 1)])
    for edges in ([np.array([2, 0]), np.array([2, 1])], [torch.tensor([2, 0]), [2, 1]]):
        assert Forest.from_edges(3, edges) == wanted
    with pytest.raises(StructureError, match=r"^n must be a list of whole numbers"):
        Forest.from_edges([[1], [2, 3]], [])


@given(st.lists(parent_lists(), max_size=3))
def test_edges_of_trees_have_the_levels_of_their_parents(lists):
    forest = Forest.from_parents(lists)
    edges = [
        [(parent, node) for node, parent in enumerate(parents) if parent >= 0] for parents in lists
    ]
    again = Forest.from_edges([len(parents) for parents in lists], edges)
    assert again == forest
    for name in ("levels", "depths"):
        np.testing.assert_array_equal(getattr(again, name), getattr(forest, name))
