import sys

import pytest
from hypothesis import given

from cellwise.brackets import BracketError, Tree, from_nltk, parse
from tests.forests import constituents

PENN = """\
( (S
    (NP-SBJ (NNP Mr.) (NNP Vinken) )
    (VP (VBZ is) ) ))

( (S
(NP (-NONE- *) )))
"""


def test_a_bracket_with_a_word_is_one_node_and_an_outer_bracket_is_dropped():
    first, second = parse(PENN.splitlines())
    assert first.labels == ("S", "NP-SBJ", "NNP", "NNP", "VP", "VBZ")
    assert first.words == (None, None, "Mr.", "Vinken", None, "is")
    assert first.parents == (-1, 0, 1, 1, 0, 4)
    assert first.children() == [[1, 4], [2, 3], [], [], [5], []]
    assert first.sentence() == ("Mr.", "Vinken", "is")
    assert len(first) == 6
    assert str(second) == "(S (NP (-NONE- *)))"


def test_several_trees_may_be_on_a_line_and_labels_on_the_next():
    assert [str(tree) for tree in parse(["(A", "x)(B y)", "", "(C z)"])] == [
        "(A x)",
        "(B y)",
        "(C z)",
    ]


def test_an_outer_bracket_around_several_trees_is_kept():
    (tree,) = parse(["( (S (A x)) (. .) )"])
    assert tree.labels == ("", "S", "A", ".")
    assert str(tree) == "( (S (A x)) (. .))"
    assert list(parse([str(tree)])) == [tree]


def test_a_blank_of_another_kind_is_part_of_a_word():
    (tree,) = parse(["(2 (2 8\xa01\\/2) (2 Xpd\u200aXP))"])
    assert tree.sentence() == ("8\xa01\\/2", "Xpd\u200aXP")


def test_deep_trees_are_read_and_shown_without_recursion():
    depth = 10 * sys.getrecursionlimit()
    text = "(X " * depth + "(X a)" + ")" * depth
    (tree,) = parse([text])
    assert len(tree) == depth + 1
    assert str(tree).replace(" ", "") == text.replace(" ", "")


@given(constituents())
def test_what_is_shown_reads_back(tree):
    assert list(parse([str(tree)])) == [tree]


@given(constituents())
def test_nltk_reads_the_same(tree):
    nltk = pytest.importorskip("nltk.tree", reason="nltk is not installed")
    if "\xa0" not in str(tree):
        assert from_nltk(nltk.Tree.fromstring(str(tree))) == tree


class NltkTree(list):
    """What `from_nltk` asks of a tree of nltk."""

    def __init__(self, label, children):
        super().__init__(children)
        self._label = label

    def label(self):
        return self._label


def test_trees_of_nltk_are_taken():
    inner = NltkTree("NP", [NltkTree("DT", ["the"]), NltkTree("NN", ["("])])
    expected = Tree(("NP", "DT", "NN"), (None, "the", "("), (-1, 0, 0))
    assert from_nltk(inner) == expected
    assert from_nltk(NltkTree("", [inner])) == expected


def test_trees_of_nltk_that_hold_two_words_are_refused():
    with pytest.raises(BracketError) as error:
        from_nltk(NltkTree("NP", ["the", "dog"]))
    assert str(error.value) == (
        "'(NP the' holds a second word, 'dog'; every word needs a bracket with a label, as (X dog)"
    )


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["", "(A (B x)"], "line 2, column 1: the tree that begins here lacks a ')'"),
        (
            ["(A x)", " (A (B x)", "(C (D y))", "(E z)"],
            "line 2, column 2: the tree that begins here lacks a ')'; "
            "a next tree seems to begin in line 3",
        ),
        (["(A (B (C"], "line 1, column 1: the tree that begins here lacks 3 ')'"),
        (["(A x))"], "line 1, column 6: a ')' too many: no bracket is open here"),
        (["(A x) y"], "line 1, column 7: 'y' stands outside of any bracket"),
        (["()"], "line 1, column 2: '(' ends without a word or a bracket in it"),
        (["(A (B x) (C))"], "line 1, column 12: '(C' ends without a word or a bracket in it"),
        (
            ["(A ((B x)))"],
            "line 1, column 5: a bracket within a tree has no label before the next one",
        ),
        (["(A x (B y))"], "line 1, column 6: '(A x' holds a word and a bracket beside it"),
        (
            ["(A x y)"],
            "line 1, column 6: '(A x' holds a second word, 'y'; "
            "every word needs a bracket with a label, as (X y)",
        ),
        (
            ["(A (B x) y)"],
            "line 1, column 10: 'y' stands beside brackets in '(A'; "
            "every word needs a bracket with a label, as (X y)",
        ),
    ],
)
def test_complaints(lines, complaint):
    with pytest.raises(BracketError) as error:
        list(parse(lines))
    assert str(error.value) == complaint


def test_a_complaint_counts_the_trees_before_it():
    with pytest.raises(BracketError) as error:
        list(parse(["(A x) (B y)", "(C"]))
    assert (error.value.tree, error.value.line, error.value.column) == (2, 2, 1)
