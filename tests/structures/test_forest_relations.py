import numpy as np
import pytest

from cellwise.errors import StructureError
from cellwise.structures.forest import Forest
from tests.forests import listed

PARENTS = [[1, -1, 1], [-1, 0]]
NAMES = [["nsubj", "root", "obj"], ["root", "obj"]]


def test_names_are_numbered_in_their_order():
    forest = Forest.from_parents(PARENTS, relations=NAMES)
    assert forest.relation_names == ("nsubj", "obj")
    assert forest.n_relations == 2
    assert forest.children.tolist() == [0, 2, 4]
    assert listed(forest.relations) == [0, 1, 1]
    assert repr(forest) == "Forest(2 trees, 5 nodes, 2 relations)"


def test_names_may_be_told():
    forest = Forest.from_parents(
        PARENTS, relations=NAMES, relation_names=["root", "obj", "iobj", "nsubj"]
    )
    assert listed(forest.relations) == [3, 1, 1]
    assert forest.n_relations == 4


def test_what_stands_for_a_root_is_not_read():
    names = Forest.from_parents(PARENTS, relations=[["nsubj", None, "obj"], [-1, "obj"]])
    assert names.relation_names == ("nsubj", "obj")
    told = Forest.from_parents(PARENTS, relations=NAMES, relation_names=["nsubj", "obj"])
    assert names == told
    numbers = Forest.from_parents(PARENTS, relations=[[0, 9, 1], [-1, 1]], relation_names=2)
    assert listed(numbers.relations) == listed(told.relations) == [0, 1, 1]
    assert Forest.from_parents(PARENTS, relations=[[0, 9, 1], [-1, 1]]).n_relations == 2


def test_children_have_the_labels_of_parents():
    children = [[[], [0, 2], []], [[1], []]]
    assert Forest.from_children(children, relations=NAMES) == Forest.from_parents(
        PARENTS, relations=NAMES
    )


def test_edges_of_graphs_have_labels_of_their_own():
    edges = [(2, 0), (1, 0), (2, 1)]
    forest = Forest.from_edges(3, edges, relations=["b", "a", "c"])
    assert forest.relation_names == ("a", "b", "c")
    assert list(zip(listed(forest.readers), listed(forest.children), strict=True)) == [
        (1, 0),
        (2, 0),
        (2, 1),
    ]
    assert listed(forest.relations) == [0, 1, 2]
    two = Forest.from_edges([3, 2], [edges, [(0, 1)]], relations=[[1, 0, 2], [4]])
    assert listed(two.relations) == [0, 1, 2, 4]
    assert two.n_relations == 5


@pytest.mark.parametrize("known", [None, 7, tuple("abcdefg")])
def test_numbers_stay(known):
    numbers = [np.array([4, 0, 6]), [0, 2]]
    forest = Forest.from_parents(PARENTS, relations=numbers, relation_names=known)
    assert listed(forest.relations) == [4, 6, 2]
    assert forest.n_relations == 7
    assert forest.relation_names == (known if isinstance(known, tuple) else ())


@pytest.mark.parametrize(
    ("relations", "known", "complaint"),
    [
        (NAMES[:1], None, "there are relations for 1 trees, but 2 trees"),
        ([NAMES[0], ["root"]], None, "tree 1: has 2 nodes, but 1 relations"),
        (
            NAMES,
            ["root", "objs", "nsubj"],
            "tree 0, node 2: its relation 'obj' is none of the 3 that are known. "
            "Did you mean 'objs'?",
        ),
        (NAMES, 3, "the relations are names, so relation_names must be names too"),
        (
            [[0, 1, 2], [0, 3]],
            3,
            "tree 1, node 1: its relation is 3, but must be from 0 to 2",
        ),
        ([[0, 1, -1], [0, 0]], None, "tree 0, node 2: its relation is -1, but must be from 0 to 0"),
        (
            [[0, 1, 0.5], [0, 0]],
            None,
            "tree 0: the relations must be a list of whole numbers, "
            "but are of type float64 with shape [2]",
        ),
    ],
)
def test_complaints(relations, known, complaint):
    with pytest.raises(StructureError) as error:
        Forest.from_parents(PARENTS, relations=relations, relation_names=known)
    assert str(error.value) == complaint


@pytest.mark.parametrize(
    ("relations", "complaint"),
    [
        ([0, 1], "tree 0: has 3 edges, but 2 relations"),
        ([0, 3, 1], "tree 0, edge 1: its relation is 3, but must be from 0 to 2"),
        (5, "tree 0: the relations must be a list, not int"),
    ],
)
def test_complaints_of_edges(relations, complaint):
    with pytest.raises(StructureError) as error:
        Forest.from_edges(3, [(2, 0), (1, 0), (2, 1)], relations=relations, relation_names=3)
    assert str(error.value) == complaint


def test_a_root_decides_nothing_whatever_stands_for_it():
    for root in ("root", None, -7, 2.5):
        forest = Forest.from_parents([[-1, 0, 0], [-1]], relations=[[root, 0, 1], [root]])
        assert listed(forest.relations) == [0, 1]
        assert forest.n_relations == 2
    with pytest.raises(StructureError) as error:
        Forest.from_edges(3, [(2, 0), (1, 0), (2, 1)], relations=["a", None, "c"])
    assert str(error.value) == "tree 0, edge 1: its relation is None, but others are names"


def test_the_count_of_relations_may_be_one_of_numpy():
    forest = Forest.from_parents([[-1, 0]], relations=[[0, 1]], relation_names=np.int64(3))
    assert forest.n_relations == 3


@pytest.mark.parametrize(
    ("known", "complaint"),
    [
        (2.5, "relation_names must be a list of names, or how many numbers there are, not 2.5"),
        ("ab", "relation_names must be a list of names, or how many numbers there are, not 'ab'"),
        ([1, 2], "relation_names must be a list of names, or how many numbers there are, not [1, "),
        (["b", "b"], "relation_names holds 'b' twice"),
        (-1, "relation_names must be 0 at least, not -1"),
    ],
)
@pytest.mark.parametrize("relations", [[["a", "b"]], [[0, 1]]])
def test_what_names_no_relations(relations, known, complaint):
    with pytest.raises(StructureError) as error:
        Forest.from_parents([[-1, 0]], relations=relations, relation_names=known)
    assert str(error.value).startswith(complaint)


def test_a_number_below_zero_has_no_bound_above():
    with pytest.raises(StructureError) as error:
        Forest.from_parents([[-1, 0]], relations=[[0, -1]])
    assert str(error.value) == "tree 0, node 1: its relation is -1, but must be 0 at least"
