import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.brackets import Tree, parse
from cellwise.data.trees_reshape import Dropped, Reshaped, expand, reshape, restore
from cellwise.errors import DataError
from cellwise.structures.forest import Forest
from tests.forests import constituents

OPTIONS = st.fixed_dictionaries(
    {
        "keep_traces": st.booleans(),
        "keep_tags": st.booleans(),
        "keep_unary": st.booleans(),
        "branching": st.sampled_from(["right", "left", "as_is"]),
    }
)
AS_IS = {"keep_traces": True, "keep_tags": True, "keep_unary": True, "branching": "as_is"}


def tree_of(text):
    (tree,) = parse([text])
    return tree


def shown(text, **options):
    return str(reshape(tree_of(text), **{**AS_IS, **options}).tree)


def test_traces_go_with_what_held_nothing_else():
    text = "(S (NP (-NONE- *)) (VP (VB go) (S (NP (-NONE- *T*) (-NONE- 0)))) (-NONE- *))"
    assert shown(text, keep_traces=False) == "(S (VP (VB go)))"
    assert reshape(tree_of(text)).dropped[:2] == (
        Dropped(1, 0, "NP", None),
        Dropped(2, 1, "-NONE-", "*"),
    )


def test_tags_go_but_for_labels_that_begin_with_a_dash():
    text = "(S-TPC-1 (NP-SBJ=2 (-LRB- -LRB-) (PRP$ my)) (: --) (-NONE- *-1))"
    assert shown(text, keep_tags=False) == "(S (NP (-LRB- -LRB-) (PRP$ my)) (: --) (-NONE- *-1))"


def test_unary_chains_become_one_node():
    text = "(ROOT (S (NP (NN dogs)) (VP (VB bark))))"
    assert shown(text, keep_unary=False) == "(ROOT+S (NP+NN dogs) (VP+VB bark))"
    assert shown("(S (VP (VB go)))", keep_unary=False) == "(S+VP+VB go)"


@pytest.mark.parametrize(
    ("branching", "expected"),
    [
        ("right", "(NP (A a) (@NP (B b) (@NP (C (@x c) (D d)) (E e))))"),
        ("left", "(NP (@NP (@NP (A a) (B b)) (C (@x c) (D d))) (E e))"),
        ("as_is", "(NP (A a) (B b) (C (@x c) (D d)) (E e))"),
    ],
)
def test_wide_nodes_become_binary_by_marked_ones(branching, expected):
    text = "(NP (A a) (B b) (C (@x c) (D d)) (E e))"
    assert shown(text, branching=branching) == expected.replace("(@x", "(\\@x")
    assert str(expand(tree_of(expected.replace("(@x", "(\\@x")))) == text


def test_signs_of_the_labels_own_are_told_from_ours():
    assert shown("(A+B (@X (C\\ x)))", keep_unary=False) == "(A\\+B+\\@X+C\\\\ x)"


def test_the_tree_of_a_model_is_expanded_by_its_labels_alone():
    text = "(S+VP (VB go) (@S+VP (NP+PRP you) (. .)))"
    assert str(expand(tree_of(text))) == "(S (VP (VB go) (NP (PRP you)) (. .)))"


def test_a_marked_root_stays():
    assert str(expand(tree_of("(@S (A x) (B y))"))) == "(@S (A x) (B y))"


def has_a_word(tree):
    pairs = zip(tree.labels, tree.words, strict=True)
    return any(word is not None and label != "-NONE-" for label, word in pairs)


@given(constituents().filter(has_a_word), OPTIONS)
def test_every_step_can_be_undone(tree, options):
    reshaped = reshape(tree, **options)
    assert restore(reshaped) == tree
    words = [w for w, label in zip(tree.words, tree.labels, strict=True) if w and label != "-NONE-"]
    if not options["keep_traces"]:
        assert reshaped.tree.sentence() == tuple(words)


@given(constituents().filter(has_a_word), st.sampled_from(["right", "left"]))
def test_what_comes_out_is_binary(tree, branching):
    reshaped = reshape(tree, branching=branching).tree
    assert list(parse([str(reshaped)])) == [reshaped]
    assert Forest.from_brackets([reshaped]).binary().slot_names == ("left", "right")


def test_deep_and_wide_trees_need_no_recursion():
    n_nodes = 10 * sys.getrecursionlimit()
    words = (*[None] * (n_nodes - 1), "a")
    chain = Tree(("X",) * n_nodes, words, tuple(range(-1, n_nodes - 1)))
    assert len(reshape(chain).tree) == 1
    assert restore(reshape(chain)) == chain
    star = Tree(("X",) * n_nodes, (None, *["a"] * (n_nodes - 1)), (-1, *[0] * (n_nodes - 1)))
    for branching in ("right", "left"):
        assert restore(reshape(star, branching=branching)) == star


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        (
            lambda: reshape(tree_of("(S (NP (-NONE- *)))")),
            "the tree holds nothing but traces: (S (NP (-NONE- *)))",
        ),
        (
            lambda: restore(Reshaped(tree_of("(A+B x)"), ("",))),
            "the tree has 2 nodes, but there are 1 tags",
        ),
    ],
)
def test_complaints(action, complaint):
    with pytest.raises(DataError) as error:
        action()
    assert str(error.value) == complaint
