import pytest
from hypothesis import given

from cellwise.brackets import Tree, parse
from cellwise.data.linearise import linearise, tree_of, with_top, without_top
from cellwise.errors import DataError
from tests.forests import constituents


def parsed(text):
    (tree,) = parse([text])
    return tree


def test_the_example_of_the_paper():
    tree = parsed("(S (NP (NNP John)) (VP (VBZ has) (NP (DT a) (NN dog))) (. .))")
    assert " ".join(linearise(tree)) == "(S (NP XX )NP (VP XX (NP XX XX )NP )VP XX )S"


def test_a_leaf_alone_is_a_word():
    assert linearise(parsed("(NN dog)")) == ("XX",)
    assert str(tree_of(["XX"], ["dog"])) == "(XX dog)"


@given(constituents())
def test_words_and_parts_of_speech_give_the_tree_back(tree):
    tags = [label for label, word in zip(tree.labels, tree.words, strict=True) if word is not None]
    symbols = linearise(tree)
    assert tree_of(symbols, tree.sentence(), tags) == tree
    assert symbols.count("XX") == len(tags)
    assert len(symbols) == len(tags) + 2 * (len(tree) - len(tags))


@given(constituents())
def test_words_alone_give_the_phrases_back(tree):
    found = tree_of(linearise(tree), tree.sentence())
    assert (found.parents, found.words) == (tree.parents, tree.words)
    pairs = zip(found.labels, tree.labels, tree.words, strict=True)
    assert all(mine == ("XX" if word is not None else label) for mine, label, word in pairs)


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ("(S XX )S XX", "symbol 4, 'XX': the tree is over before it"),
        ("(S XX )NP", "symbol 3, ')NP': the bracket open here is '(S'"),
        ("(S (NP )NP", "symbol 3, ')NP': the bracket holds no word"),
        (")S", "symbol 1, ')S': no bracket is open"),
        ("(S XX XX XX )S", "symbol 4, 'XX': the sentence has only 2 words"),
        ("(S dog )S", "symbol 2, 'dog': it is neither a bracket nor 'XX'"),
        ("(S XX )S", "the symbols end with 0 brackets open and 1 of 2 words written"),
        ("(S (NP XX XX", "the symbols end with 2 brackets open and 2 of 2 words written"),
        ("", "the symbols end with 0 brackets open and 0 of 2 words written"),
    ],
)
def test_symbols_of_no_tree_are_refused(symbols, message):
    with pytest.raises(DataError) as error:
        tree_of(symbols.split(), ["the", "dog"])
    assert str(error.value) == message


@pytest.mark.parametrize("label", ["TOP", "ROOT", "S1"])
def test_the_outermost_bracket_is_taken_off_and_put_back(label):
    tree = parsed(f"({label} (S (NP (NN dogs)) (VP (VB bark))))")
    top, rest = without_top(tree)
    assert (top, str(rest)) == (label, "(S (NP (NN dogs)) (VP (VB bark)))")
    assert with_top(top, rest) == tree


@pytest.mark.parametrize(
    "text", ["(S (VP (VB go)))", "(TOP (S (VB go)) (. .))", "(TOP (NN dog))", "(NN dog)"]
)
def test_other_outermost_brackets_stay(text):
    tree = parsed(text)
    assert without_top(tree) == ("", tree)
    assert with_top("", tree) == tree


def test_deep_trees_need_no_recursion():
    n_nodes = 5000
    words = (*[None] * (n_nodes - 1), "a")
    chain = Tree(("X",) * n_nodes, words, tuple(range(-1, n_nodes - 1)))
    assert tree_of(linearise(chain), ["a"], ["X"]) == chain
