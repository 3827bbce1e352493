import pytest

from cellwise.brackets import parse
from cellwise.tasks.compose_answers import LabelledTree, Scale, answer, polarity

POLES = Scale(("0", "2", "4"), ("0",), ("4",))


def tree_of(text):
    (tree,) = parse([text])
    return tree


def test_spans_are_places_of_words():
    tree = tree_of("(A (B (C a) (D b)) (E c))")
    labelled = LabelledTree(tree, (1.0,) * 5, Scale(("A",)))
    assert labelled.spans() == [(0, 2), (0, 1), (0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("probabilities", "found"),
    [((0.3, 0.4, 0.3), "positive"), ((0.31, 0.4, 0.29), "negative")],
)
def test_polarity_is_of_the_poles_together(probabilities, found):
    assert polarity(dict(zip(POLES.classes, probabilities, strict=True)), POLES) == found


def test_nodes_that_only_make_a_tree_binary_are_left_out():
    rows = [{"0": 0.1, "2": 0.2, "4": 0.7}] * 5
    found = answer(tree_of("(X (X a) (@X (X b) (X c)))"), rows, POLES, given=True, only_root=False)
    assert found.text == "(4 (4 a) (4 b) (4 c))"
    assert found.labelled is not None
    assert str(found.labelled.tree) == found.text
    assert found.labelled.probabilities == (0.7,) * 4
    assert found.record["structure"] == "given"


def test_the_root_of_a_treebank_may_have_a_mark_of_its_own():
    found = answer(
        tree_of("(@X (X a) (X b))"), [{"A": 1.0}] * 3, Scale(("A",)), given=True, only_root=False
    )
    assert found.text == "(A (A a) (A b))"
