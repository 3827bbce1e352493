import pytest
import torch

from cellwise.data.vocabulary import UNKNOWN, Vocabulary
from cellwise.structures.forest import Forest
from cellwise.tasks.compose_config import ComposeModel
from cellwise.tasks.compose_network import Phrases, TreeClassifier
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]
WORDS = Vocabulary(["a", "b", "c"], [5, 2, 1])
CELLS = {
    "leaves alone read": "h[leaf] = x[leaf]\nh[n] = tanh(W @ h[left] + V @ h[right] + b)",
    "every node reads": "h[n] = tanh(U @ x[n] + W @ sum(h[k] for k in n) + b)",
}
FOREST = Forest.from_brackets(["(_ (_ a) (_ (_ b) (_ c)))", "(_ c)"]).binary()
PHRASES = Phrases(FOREST, torch.tensor([4, 5, 6, 6]))


def model_of(cell="leaves alone read", **settings):
    torch.manual_seed(0)
    config = ComposeModel(cell=CELLS[cell], hidden_size=6, **settings)
    return TreeClassifier(config, WORDS, 3, embedding_size=6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_tree_has_the_same_classes_alone_and_in_a_batch(cell):
    model = model_of(cell).eval()
    together = model(PHRASES)
    assert together.shape == (6, 3)
    alone = model(Phrases(FOREST.select([1]), torch.tensor([6])))
    torch.testing.assert_close(together[5:], alone, **EXACT)


def test_nodes_with_children_read_zeros():
    model = model_of("every node reads").eval()
    placed = model._placed(torch.ones(4, 6), FOREST)
    assert placed.sum(1).tolist() == [0, 6, 0, 6, 6, 6]


def test_dropout_is_drawn_for_each_node():
    model = model_of(dropout=0.5, embedding_dropout=0.0, word_dropout=0.0)
    one, other = model(PHRASES), model(PHRASES)
    assert not torch.equal(one, other)
    assert torch.equal(model.eval()(PHRASES), model(PHRASES))


def test_training_hides_words():
    model = model_of(word_dropout=1e9, dropout=0.0, embedding_dropout=0.0)
    unknown = Phrases(FOREST, torch.full((4,), UNKNOWN))
    torch.testing.assert_close(model(PHRASES), model.eval()(unknown), **EXACT)


def test_word_vectors_can_stay_fixed():
    assert not model_of(tune_vectors=False).words.weight.requires_grad
    assert model_of().words.weight.requires_grad
