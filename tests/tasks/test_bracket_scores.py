import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.brackets import Tree, parse
from cellwise.errors import DataError
from cellwise.tasks.bracket_scores import Compared, compare, n_words
from tests.forests import constituents

GOLD = "(S (A (P this)) (B (Q is) (A (R a) (T test))))"
LONG = "(S" + " (A (P this)) (B (Q is) (A (R a) (T test)))" * 11 + ")"

SAMPLE = [
    (GOLD, GOLD, (4, 4, 4, 0)),
    (GOLD, "(S (A (P this)) (B (Q is) (C (R a) (T test))))", (3, 4, 4, 0)),
    (GOLD, "(S (A (P this)) (B (Q is) (A (R a) (U test))))", (4, 4, 4, 0)),
    (GOLD, "(S (C (P this)) (B (Q is) (A (R a) (U test))))", (3, 4, 4, 0)),
    (GOLD, "(S (A (P this)) (B (Q is) (R a) (A (T test))))", (3, 4, 4, 0)),
    (GOLD, "(S (A (P this) (Q is)) (A (R a) (T test)))", (2, 4, 3, 1)),
    (GOLD, "(S (P this) (Q is) (R a) (T test))", (1, 4, 1, 0)),
    (GOLD, "(TOP (P this) (Q is) (R a) (T test))", (0, 4, 0, 0)),
    (GOLD, "(S (A (P this)) (B (Q is) (A (A (R a) (T test)))))", (4, 4, 5, 0)),
    (GOLD, "(S (A (P this)) (B (Q is) (A (A (A (A (A (R a) (T test))))))))", (4, 4, 8, 0)),
    (GOLD, f"(TOP {GOLD})", (4, 4, 4, 0)),
    (GOLD, "(S (A (P this)) (B (Q is) (A (R a) (TT test))))", (4, 4, 4, 0)),
    (GOLD, "(S (A (P This)) (B (Q is) (A (R a) (T test))))", (4, 4, 4, 0)),
    ("(S (A-SBJ-1 (P this)) (B-WHATEVER (Q is) (A (R a) (T test))))", GOLD, (4, 4, 4, 0)),
    (LONG, LONG, (34, 34, 34, 0)),
    (f"{GOLD[:-1]} (-NONE- *))", f"{GOLD[:-1]} (-NONE- *))", (4, 4, 4, 0)),
    (f"{GOLD[:-1]} (: *))", f"{GOLD[:-1]} (: *))", (4, 4, 4, 0)),
]
"""The sentences of EVALB's own sample that it finds valid, with the figures that it publishes of
each (sample.rsl): brackets that match, of the right tree, of the other, and that cross."""


def tree_of(text):
    (tree,) = parse([text])
    return tree


def counts(gold, found):
    one = compare(tree_of(gold), tree_of(found))
    return one.matched, one.gold, one.found, one.crossing


@pytest.mark.parametrize(("gold", "found", "expected"), SAMPLE)
def test_each_sentence_of_the_programs_sample_has_its_figures(gold, found, expected):
    assert counts(gold, found) == expected


def test_the_whole_sample_has_its_figures():
    pairs = [(tree_of(gold), tree_of(found)) for gold, found, _ in SAMPLE]
    whole = sum((compare(*pair) for pair in pairs), Compared()).metrics()
    assert round(whole["recall"], 2) == 87.76
    assert round(whole["precision"], 2) == 90.53
    assert round(whole["complete_match"], 2) == 52.94
    assert round(whole["average_crossing"], 2) == 0.06
    short = [pair for pair in pairs if n_words(pair[0]) <= 40]
    assert len(short) == 16
    figures = sum((compare(*pair) for pair in short), Compared()).metrics("_40")
    assert round(figures["recall_40"], 2) == 81.25
    assert round(figures["precision_40"], 2) == 85.25
    assert round(figures["complete_match_40"], 2) == 50.00


@pytest.mark.parametrize(
    "found",
    [
        "(S (A (P this)) (B (Q was) (A (A (R a) (T test)))))",
        "(S (A (P this)) (B (Q is) (U not) (A (A (R a) (T test)))))",
        "(S (A (P That)) (B (Q is) (A (R a) (T test))))",
    ],
)
def test_the_samples_errors_are_errors(found):
    with pytest.raises(DataError) as error:
        compare(tree_of(GOLD), tree_of(found))
    assert str(error.value) == (
        f"the trees are over different words: 'this is a test' "
        f"and '{' '.join(tree_of(found).sentence())}'"
    )


def test_punctuation_does_not_count_wherever_it_hangs():
    gold = "(S (NP (NN he) (, ,)) (VP (VBD said) (PRN (: --) (. .))) (. .))"
    # PRN holds punctuation alone; he ... said are places 0 and 1
    assert counts(gold, "(S (NP (X he)) (X ,) (VP (X said) (X --)) (X .) (X .))") == (3, 3, 3, 0)
    assert counts(gold, "(S (NP (X he)) (VP (X ,) (X said) (X --) (X .)) (X .))") == (3, 3, 3, 0)


def test_a_particle_counts_as_an_adverb_phrase():
    gold = "(VP (VB give) (PRT (RP up)))"
    assert counts(gold, "(VP (X give) (ADVP (X up)))") == (2, 2, 2, 0)
    assert counts(gold, "(VP (X give) (PP (X up)))") == (1, 2, 2, 0)


def test_a_bracket_matches_only_one_other():
    gold = "(S (NP (NP (A a) (B b))) (C c))"
    assert counts(gold, "(S (NP (A a) (B b)) (C c))") == (2, 3, 2, 0)
    assert counts(gold, "(S (NP (NP (NP (A a) (B b)))) (C c))") == (3, 3, 4, 0)


def test_crossing_counts_brackets_of_the_tree_found():
    gold = "(S (X (A a) (B b) (C c)) (Y (D d) (E e)))"
    assert counts(gold, "(S (A a) (Z (B b) (Z (C c) (D d))) (E e))") == (1, 3, 3, 2)
    assert counts("(S (A a) (Z (B b) (Z (C c) (D d))) (E e))", gold) == (1, 3, 3, 2)


def test_no_tree_at_all_finds_nothing():
    assert compare(tree_of(GOLD), None) == Compared(0, 4, 0, 0, 0, 1)


def test_figures_of_nothing_are_zero():
    assert set(Compared().metrics().values()) == {0.0}


LABELS = st.sampled_from(["S", "NP", "VP", "PRT", "ADVP", "TOP", ".", ","])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Tree, Tree]:
    """Two trees over the same words."""

    def labelled(tree: Tree, sentence: list[str]) -> Tree:
        words = iter(sentence)
        return Tree(
            tuple(draw(LABELS) for _ in tree.labels),
            tuple(word and next(words) for word in tree.words),
            tree.parents,
        )

    one, other = draw(constituents()), draw(constituents())
    n_leaves = max(len(one.sentence()), len(other.sentence()))
    sentence = [f"w{place}" for place in range(n_leaves)]
    return labelled(_wider(one, n_leaves), sentence), labelled(_wider(other, n_leaves), sentence)


def _wider(tree: Tree, n_leaves: int) -> Tree:
    """A tree over more words: the given one, and more leaves, in one bracket."""
    missing = n_leaves - len(tree.sentence())
    return Tree(
        ("S", *tree.labels, *("X",) * missing),
        (None, *tree.words, *("w",) * missing),
        (-1, *(parent + 1 for parent in tree.parents), *(0,) * missing),
    )


@given(constituents())
def test_a_tree_is_all_right_against_itself(tree):
    one = compare(tree, tree)
    assert one.matched == one.gold == one.found
    assert (one.crossing, one.complete) == (0, 1)


@given(pairs())
def test_each_match_is_by_the_rule_of_the_program(pair):
    """Its own way: for each right bracket the first free one of the same label and words."""
    gold, found = pair
    one = compare(gold, found)
    free = list(_constituents(found, gold))
    hits = 0
    for bracket in _constituents(gold, gold):
        if bracket in free:
            free.remove(bracket)
            hits += 1
    assert one.matched == hits
    assert one.found == len(free) + hits


def _constituents(tree: Tree, gold: Tree):
    """The brackets that count, found by going down from each node."""
    tags = [label for label, word in zip(gold.labels, gold.words, strict=True) if word]
    counted = [tag not in {"TOP", ".", ","} for tag in tags]
    children = tree.children()
    number: dict[int, int] = {}
    for node, word in enumerate(tree.words):
        if word is not None:
            number[node] = len(number)

    def below(node: int) -> list[int]:
        if node in number:
            return [number[node]] if counted[number[node]] else []
        return [place for child in children[node] for place in below(child)]

    for node, label in enumerate(tree.labels):
        words = tuple(below(node))
        if node not in number and words and label not in {"TOP", ".", ","}:
            yield {"PRT": "ADVP"}.get(label, label), words
