import numpy as np
import pytest
import torch

from cellwise.data.vocabulary import PAD, UNKNOWN, Vocabulary
from cellwise.heads.outputs import last_outputs
from cellwise.tasks.tag_config import TagModel
from cellwise.tasks.word_tagger import NO_LABEL, Sentences, WordTagger, spell
from cellwise.tasks.word_vectors import WordVectors
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
SMALL = {
    "word_embedding_size": 6,
    "character_embedding_size": 5,
    "character_hidden_size": 4,
    "hidden_size": 7,
}


def model_of(allowed=None, **options):
    config = TagModel(**{**SMALL, **options})
    words = Vocabulary.build([["the", "dog", "the", "the"]])
    vectors = WordVectors(words, config.word_embedding_size, {"dog": np.full(6, 0.5, np.float32)})
    return WordTagger(config, vectors, Vocabulary.build(["thedog"]), 2, allowed=allowed)


def batch():
    return Sentences(
        words=torch.tensor([[4, 5], [5, 0], [1, 0]]),
        lengths=torch.tensor([3, 1]),
        spelling=torch.tensor([[0, 1], [1, 0], [2, 0]]),
        characters=torch.tensor([[4, 5, 6], [5, 0, 7], [6, 0, 0]]),
        character_lengths=torch.tensor([3, 1, 2]),
    )


@pytest.mark.parametrize("layers", [1, 2])
def test_padding_and_batch_mates_do_not_matter(layers):
    model = model_of(num_layers=layers).double().eval()
    together = model(batch())
    alone = model(
        Sentences(
            torch.tensor([[5]]),
            torch.tensor([1]),
            torch.tensor([[0]]),
            torch.tensor([[5]]),
            torch.tensor([1]),
        )
    )
    assert together.shape == (3, 2, 2)
    torch.testing.assert_close(together[:1, 1:], alone, **EXACT)


def test_training_hides_rare_words_more_often():
    model = model_of(word_dropout=1.0)
    assert model.hiding.tolist() == [0, 0, 0, 0, 0.25, 0.5]
    words = torch.tensor([[4, 5]]).expand(4000, 2)
    hidden = (model._hide(words) == UNKNOWN).float().mean(0)
    assert 0.2 < hidden[0] < 0.3
    assert 0.45 < hidden[1] < 0.55
    assert torch.equal(model.eval()._hide(words), words)


def test_padding_is_never_hidden():
    words = torch.full((50, 3), PAD)
    assert torch.equal(model_of(word_dropout=1e6)._hide(words), words)


def test_no_hiding_at_a_rate_of_zero():
    assert not model_of(word_dropout=0.0).hiding.any()


def test_the_rates_of_hiding_are_no_weights():
    assert "hiding" not in model_of().state_dict()


def test_each_spelling_stands_once():
    assert spell([["a", "b", "a"], ["b", "c"]]) == (["a", "b", "c"], [[0, 1, 0], [1, 2]])


@pytest.mark.parametrize("cell", ["lstm", "gru", "slstm"])
def test_where_the_output_is_a_state_a_spelling_is_its_last_value(cell):
    model = model_of(cell=cell).double().eval()
    x, lengths = model.characters(batch().characters), batch().character_lengths
    outputs, state = model.speller(x, lengths=lengths)
    found = last_outputs(outputs, lengths)
    assert torch.equal(found, state.h.transpose(0, 1).flatten(1))


@pytest.mark.parametrize(
    "cell",
    [
        "y[t] = tanh(U @ x[t] + b)",
        "c[t] = tanh(U @ x[t] + W @ c[t-1] + b)\nh[t] = [c[t], c[t]]",
    ],
)
def test_the_output_need_not_be_a_state(cell):
    logits = model_of(cell=cell, hidden_size=8, num_layers=2)(batch())
    logits.square().sum().backward()
    assert logits.shape == (3, 2, 2)


@pytest.mark.parametrize("tuned", [True, False])
def test_it_starts_from_given_vectors_and_may_keep_them(tuned):
    model = model_of(tune_vectors=tuned)
    assert model.words.weight[model_row("dog")].tolist() == [0.5] * 6
    assert model.words.weight.requires_grad == tuned


def model_row(word):
    return Vocabulary.build([["the", "dog", "the", "the"]]).encode([word])[0]


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_labels_of_a_batch_are_those_of_its_sentences(head):
    model = model_of(head=head).double().eval()
    scores = model(batch())
    labels = torch.tensor([[0, 1], [1, NO_LABEL], [1, NO_LABEL]])
    nats = model.nats(scores, labels, batch().lengths)
    rows = [(scores[:3, :1], labels[:3, :1], [3]), (scores[:1, 1:], labels[:1, 1:], [1])]
    apart = sum(model.nats(s, y, torch.tensor(n)) for s, y, n in rows)
    torch.testing.assert_close(nats, apart, **EXACT)
    found = model.decode(scores, batch().lengths)
    assert found == [model.decode(s, torch.tensor(n))[0] for s, _, n in rows]
    assert [len(row) for row in found] == [3, 1]


def test_a_crf_follows_what_is_allowed():
    allowed = torch.tensor([[True, False, True], [True, True, True], [True, False, True]])
    model = model_of(head="crf", allowed=allowed).eval()
    scores = torch.tensor([[[0.0, 9.0]], [[0.0, 9.0]]])
    assert model.decode(scores, torch.tensor([2])) == [[0, 0]]
    assert model_of().eval().decode(scores, torch.tensor([2])) == [[1, 1]]


def test_smoothing_is_for_training():
    model = model_of(label_smoothing=0.5)
    scores, labels, lengths = torch.tensor([[[9.0, 0.0]]]), torch.tensor([[0]]), torch.tensor([1])
    assert model.nats(scores, labels, lengths) > 2
    assert model.eval().nats(scores, labels, lengths) < 0.01


def test_noise_is_for_the_layers_over_the_sentence():
    model = model_of(zoneout=0.5, weight_dropout=0.5)
    assert not torch.equal(model.read(batch()), model.read(batch()))
    model.eval()
    assert torch.equal(model.read(batch()), model.read(batch()))


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_a_blank_token_is_spelled_by_nothing(head):
    blank = Sentences(
        torch.tensor([[1]]),
        torch.tensor([1]),
        torch.tensor([[0]]),
        torch.zeros(0, 1).long(),
        torch.tensor([0]),
    )
    model = model_of(head=head)
    model.nats(model(blank), torch.tensor([[1]]), blank.lengths).backward()
    assert model(blank).isfinite().all()
