"""Whatever a network says, what is written is a tree over exactly the words given."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.data.batches import pad
from cellwise.data.linearise import linearise, tree_of
from cellwise.data.trees import read_trees
from cellwise.data.trees_reshape import expand, reshape
from cellwise.data.vocabulary import END, SPECIALS, START, Vocabulary
from cellwise.heads.search import Rules, search
from cellwise.tasks.parse_rules import Bounds, TreeRules, TreeWriter, fewest_symbols
from tests.forests import constituents, height

CRAFT = Path(__file__).parents[2].parent / "shared" / "data" / "trees_craft" / "craft-dev.tree.zip"
LABELS = ("S", "NP", "VP")
SYMBOLS = Vocabulary(("XX", *(f"{side}{label}" for label in LABELS for side in "()"), "(ADJP"))
"""A bracket that nothing closes is among them: it must never be opened."""


class Noise:
    """A decoder that likes anything; its preferences go on from those of a hypothesis before."""

    def __init__(self, sharpness, seed):
        self.sharpness, self.seed = sharpness, seed

    def __call__(self, last, state):
        (seeds,) = state
        after = (seeds * 31 + last[None, :, None] + 7) % 10007
        generator = torch.Generator().manual_seed(self.seed)
        table = self.sharpness * torch.randn(10007 + len(SYMBOLS), generator=generator)
        rows = table[after[0] + torch.arange(len(SYMBOLS))]
        return torch.log_softmax(rows, dim=-1), (after,)

    def of(self, rows):
        return self


def written(sizes, limits, *, bounds, rules, noise):
    brackets = TreeRules(SYMBOLS, bounds)
    book = brackets.first(torch.tensor(sizes), torch.tensor(limits))
    state = (torch.arange(len(sizes))[None, :, None], book[None])
    found = search(TreeWriter(noise, brackets), state, torch.tensor(limits), rules)
    return [SYMBOLS.decode(one.symbols) for one in found]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.integers(0, 40),
    st.builds(Bounds, depth=st.integers(1, 6), chain=st.integers(1, 4)),
    st.builds(
        Rules,
        start=st.just(START),
        end=st.just(END),
        beam_size=st.integers(1, 4),
        length_penalty=st.sampled_from([0.0, 1.0]),
    ),
    st.builds(Noise, sharpness=st.sampled_from([0.1, 1.0, 30.0]), seed=st.integers(0, 10**6)),
)
def test_all_that_is_written_is_a_tree_over_the_words(sizes, more, bounds, rules, noise):
    limits = [int(fewest_symbols(torch.tensor(size))) + more for size in sizes]
    found = written(sizes, limits, bounds=bounds, rules=rules, noise=noise)
    for symbols, size, limit in zip(found, sizes, limits, strict=True):
        tree = tree_of(symbols, [f"w{place}" for place in range(size)])
        assert len(symbols) <= limit
        assert depth_of(symbols) <= bounds.depth
        assert chain_of(symbols) <= bounds.chain
        assert set(tree.labels) <= {*LABELS, "XX"}


@pytest.mark.parametrize("favourite", ["(NP", ")NP", "XX", "<end>", "<pad>", "(ADJP"])
@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_decoder_with_one_idea_still_writes_trees(favourite, beam_size):
    number = (
        SYMBOLS.encode([favourite])[0] if favourite not in SPECIALS else SPECIALS.index(favourite)
    )
    scores = torch.zeros(len(SYMBOLS)).index_fill(0, torch.tensor([number]), 50.0).log_softmax(-1)

    class Stubborn(Noise):
        def __call__(self, last, state):
            return scores.expand(len(last), -1), state

    found = written(
        [1, 5, 20],
        [10, 30, 60],
        bounds=Bounds(),
        rules=Rules(START, END, beam_size),
        noise=Stubborn(0, 0),
    )
    for symbols, size in zip(found, (1, 5, 20), strict=True):
        assert tree_of(symbols, ["w"] * size).sentence() == ("w",) * size


@given(constituents(max_nodes=40), st.integers(0, 3))
def test_no_tree_is_forbidden(tree, more):
    tags = ("S", "NP", "VP", "@X")
    labels = tuple(tags[len(label) % 4] for label in tree.labels)
    symbols = linearise(type(tree)(labels, tree.words, tree.parents))
    known = Vocabulary(("XX", *(f"{side}{label}" for label in tags for side in "()")))
    bounds = Bounds(max(1, depth_of(symbols)), max(1, chain_of(symbols)))
    rules = TreeRules(known, bounds)
    limit = max(len(symbols), len(tree.sentence()) + 2) + more
    assert is_allowed(rules, known.encode(symbols), len(tree.sentence()), limit)
    if depth_of(symbols) > 1:
        tight = TreeRules(known, Bounds(bounds.depth - 1, bounds.chain))
        assert not is_allowed(tight, known.encode(symbols), len(tree.sentence()), limit)
    assert height(0, tree.children()) == depth_of(symbols)


def test_brackets_that_no_tree_could_finish_are_forbidden():
    rules = TreeRules(SYMBOLS, Bounds())
    symbols = SYMBOLS.encode("(S (NP XX )NP (VP XX )VP )S".split())
    assert is_allowed(rules, symbols, 2, 8)
    assert not is_allowed(rules, symbols, 2, 7)
    assert not is_allowed(rules, symbols, 1, 8)
    assert not is_allowed(rules, symbols, 3, 9)
    assert not is_allowed(rules, SYMBOLS.encode(["(S", "(NP", ")NP", "XX", ")S"]), 1, 9)
    assert not is_allowed(rules, SYMBOLS.encode(["XX", "XX"]), 2, 9)
    assert not is_allowed(rules, SYMBOLS.encode(["(S", "XX", ")NP"]), 1, 9)


def test_rows_do_not_depend_on_each_other():
    alone = written([4], [16], bounds=Bounds(), rules=Rules(START, END, 3), noise=Noise(1.0, 5))
    together = written(
        [4, 9], [16, 31], bounds=Bounds(), rules=Rules(START, END, 3), noise=Noise(1.0, 5)
    )
    assert together[0] == alone[0]


@pytest.mark.real_data
@pytest.mark.skipif(not CRAFT.exists(), reason="needs ../shared/data/trees_craft")
def test_every_tree_of_a_real_treebank_is_allowed():
    trees = [expand(reshape(tree, branching="as_is").tree) for tree in list(read_trees(CRAFT))[::7]]
    rows = [linearise(tree) for tree in trees]
    known = Vocabulary.build(rows)
    rules = TreeRules(known, Bounds())
    sizes = torch.tensor([len(tree.sentence()) for tree in trees])
    book = rules.first(sizes, 4 * sizes + 10)
    steps = pad([known.encode(row) for row in rows], END)
    for symbols in torch.cat([steps, torch.full_like(steps[:1], END)]):
        assert rules.allowed(book).gather(1, symbols[:, None]).all()
        book = rules.after(book, symbols)


def is_allowed(rules, symbols, n_words, n_symbols):
    """Whether the rules let a decoder write these symbols and then end."""
    book = rules.first(torch.tensor([n_words]), torch.tensor([n_symbols]))
    for symbol in (*symbols, END):
        if not rules.allowed(book)[0, symbol]:
            return False
        book = rules.after(book, torch.tensor([symbol]))
    return True


def depth_of(symbols):
    """The most brackets open at a time."""
    deepest = here = 0
    for symbol in symbols:
        here += symbol.startswith("(") - symbol.startswith(")")
        deepest = max(deepest, here)
    return deepest


def chain_of(symbols):
    """The most brackets opened one after another."""
    longest = here = 0
    for symbol in symbols:
        here = here + 1 if symbol.startswith("(") else 0
        longest = max(longest, here)
    return longest
