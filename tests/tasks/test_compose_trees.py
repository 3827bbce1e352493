import pytest

from cellwise.brackets import parse
from cellwise.cell import Cell
from cellwise.data.trees_reshape import own_name
from cellwise.errors import ConfigError, DataError
from cellwise.tasks.compose_config import ComposeData
from cellwise.tasks.compose_trees import (
    Fitting,
    is_marked,
    read_line,
    reads_left_and_right,
    right_branching,
)

SENTENCE = "(S (NP-SBJ (-NONE- *)) (VP (VB buy) (NP (DT a) (JJ red) (NN hat))))"
BINARY = "h[leaf] = x[leaf]\nh[n] = tanh(W @ [h[left], h[right]] + b)"
SUMS = "h[n] = tanh(U @ x[n] + sum(W @ h[k] for k in n) + b)"


def tree_of(text):
    (tree,) = parse([text])
    return tree


def example(text, *, binary=True, **data):
    return str(Fitting(ComposeData(**data), binary).example(tree_of(text)))


def test_binary_trees_have_neither_traces_nor_chains_nor_labels_at_marked_nodes():
    assert example(SENTENCE) == "(S+VP (VB buy) (NP (DT a) ( (JJ red) (NN hat))))"
    left = example(SENTENCE, branching="left")
    assert left == "(S+VP (VB buy) (NP ( (DT a) (JJ red)) (NN hat)))"


def test_cells_over_sets_of_children_see_the_tree_without_traces_only():
    found = example(SENTENCE, binary=False)
    assert found == "(S (VP (VB buy) (NP (DT a) (JJ red) (NN hat))))"


def test_labels_become_classes():
    classes = {"0": "bad", "1": "bad", "2": "", "3": "good", "4": "good"}
    assert example("(3 (2 a) (0 b))", classes=classes) == "(good ( a) (bad b))"
    assert example("(3 (2 a) (0 b))", labels="root") == "(3 ( a) ( b))"
    assert example("(NP-SBJ (A-B c) (D d))") == "(NP-SBJ (A-B c) (D d))"
    assert example("(NP-SBJ (A-B c) (D d))", strip_tags=True) == "(NP (A c) (D d))"


def test_a_chain_under_the_root_is_no_part_of_the_class_of_a_whole_tree():
    text = "(D (S (NP we) (VP agree)))"
    assert example(text, labels="root") == "(D ( we) ( agree))"
    assert example(text, labels="root", binary=False) == "(D ( ( we) ( agree)))"


def test_equal_classes_of_a_chain_are_one():
    assert example("(3 (3 (3 good)))") == "(3 good)"
    assert example("(3 (2 (2 (3 good))))") == "(3+2+3 good)"
    assert example("(a (b (c x) (d y)))", classes={"a": "X", "b": "X"}) == "(X (c x) (d y))"


def test_classes_are_looked_up_without_tags_and_keep_their_own_hyphens():
    classes = {"NP": "noun-phrase", "VP": "verb=phrase"}
    found = example(
        "(S (NP-SBJ-1 (DT the) (NN dog)) (VP (VB runs) (RB off)))",
        strip_tags=True,
        classes=classes,
    )
    assert found == "(S (noun-phrase (DT the) (NN dog)) (verb=phrase (VB runs) (RB off)))"


def test_a_node_without_a_class_is_no_part_of_a_chain():
    classes = {"PRP": "", "VBD": ""}
    text = "(S (NP (PRP he)) (VP (VBD ran)))"
    assert example(text, classes=classes) == "(S (NP he) (VP ran))"
    assert example(text, classes={**classes, "NP": ""}) == "(S ( he) (VP ran))"
    assert example("( (S (A a) (B b)) (X (-NONE- *)) )") == "(S (A a) (B b))"


def test_traces_alone_have_no_example():
    with pytest.raises(DataError, match="nothing but traces"):
        example("(S (-NONE- *))")


def test_classes_are_shown_as_they_were_written():
    tree = Fitting(ComposeData(), True).example(tree_of(r"(@A (B+C b) (D d))"))
    assert [own_name(label) for label in tree.labels] == ["@A", "B+C", "D"]
    assert not is_marked(tree.labels[0])


def test_what_a_cell_reads_decides_on_the_form_of_trees():
    assert reads_left_and_right(Cell(BINARY))
    assert not reads_left_and_right(Cell(SUMS))


@pytest.mark.parametrize(
    ("equations", "complaint"),
    [
        (
            "h[t] = tanh(U @ x[t] + W @ h[t-1])",
            "model.cell: 'x' runs over sequences; compose needs a cell over trees, "
            "such as tree_lstm_binary",
        ),
        (
            "h[n] = tanh(U @ x[n] + W @ h[left] + V @ h[up])",
            "model.cell: 'x' reads [up], but compose goes from the leaves up to the root, "
            "and children are left and right",
        ),
        (
            "h[n] = tanh(U @ x[n] + sum(W[r] @ h[k] for k in n))",
            "model.cell: 'x' chooses parameters by the label of an edge, "
            "and the trees of compose have none on their edges",
        ),
    ],
)
def test_other_cells_are_refused(equations, complaint):
    with pytest.raises(ConfigError) as error:
        reads_left_and_right(Cell(equations, name="x"))
    assert str(error.value) == complaint


def test_sentences_branch_to_the_right():
    assert str(right_branching(("a",))) == "(_ a)"
    assert str(right_branching(("a", "b", "c"))) == "(_ (_ a) (_ (_ b) (_ c)))"


def test_a_line_is_a_tree_or_a_sentence():
    assert read_line(" (A (B b) (C c))", 1) == (tree_of("(A (B b) (C c))"), True)
    sentence, given = read_line("good (enough)", 1)
    assert sentence is not None
    assert sentence.sentence() == ("good", "-LRB-", "enough", "-RRB-")
    assert not given
    assert read_line("  ", 1) == (None, False)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "(A (B b)",
            "input 3, column 1: the tree that begins here lacks a ')'; "
            "a line that begins with '(' must be a tree in brackets",
        ),
        ("(A a) (B b)", "input 3: 2 trees in a line; give one a line"),
    ],
)
def test_wrong_brackets_are_refused(line, complaint):
    with pytest.raises(DataError) as error:
        read_line(line, 3)
    assert str(error.value) == complaint
