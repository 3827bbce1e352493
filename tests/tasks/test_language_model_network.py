import re

import pytest
import torch
from torch.nn import functional

from cellwise.data.vocabulary import END, UNKNOWN
from cellwise.errors import ConfigError
from cellwise.heads.tied_softmax import TiedSoftmax
from tests.tasks.language_models import LINES, built, task_of, write
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]


@pytest.fixture
def task(tmp_path):
    def make(**model):
        return task_of(write(tmp_path, *LINES), model=model)

    return make


SYMBOLS = torch.tensor([[4, 5], [6, 3], [3, 7]])


def test_tied_weights_are_the_symbols_vectors(task):
    model = built(task(tie_weights=True))
    assert isinstance(model.head, TiedSoftmax)
    assert model.head.weight is model.embedding.weight
    assert "bridge.weight" in model.state_dict()  # vectors of 5 numbers, outputs of 6
    assert not [
        name for name in model.state_dict() if name.startswith("head.") and "bias" not in name
    ]
    assert "bridge.weight" not in built(task(tie_weights=True, embedding_size=6)).state_dict()
    features, _ = model(SYMBOLS)
    wanted = torch.log_softmax(features @ model.embedding.weight.T + model.head.bias, -1)
    torch.testing.assert_close(model.log_probabilities(features), wanted, **EXACT)


@pytest.mark.parametrize("softmax", ["full", "adaptive", "sampled"])
def test_losses_are_those_of_the_log_probabilities(task, softmax):
    model = built(task(softmax=softmax, cutoffs=[3, 7, 1000], embedding_size=16, hidden_size=16))
    with torch.no_grad():
        features = model(SYMBOLS)[0].flatten(0, 1)
        log_p = model.log_probabilities(features)
        sums = log_p.exp().sum(-1)
        torch.testing.assert_close(sums, torch.ones_like(sums), **EXACT)
        right = SYMBOLS.flatten()
        wanted = log_p.gather(1, right[:, None])[:, 0]
        torch.testing.assert_close(model.log_probabilities_of(features, right), wanted, **EXACT)
        torch.testing.assert_close(model.nats(features, right), -wanted.sum(), **EXACT)


def test_a_sampled_softmax_is_sampled_in_training_alone(task):
    model = built(task(softmax="sampled", n_samples=3))
    features = model(SYMBOLS)[0].flatten(0, 1).detach()
    whole = model.nats(features, SYMBOLS.flatten())
    model.train()
    losses = [float(model.nats(features, SYMBOLS.flatten()).detach()) for _ in range(4)]
    assert len({*losses, float(whole.detach())}) > 2


def test_an_adaptive_softmax_has_vectors_of_its_own(task):
    cause = (
        "model.tie_weights: the adaptive softmax has vectors of its own; "
        "take softmax = 'full' or 'sampled', or tie_weights = false"
    )
    with pytest.raises(ConfigError, match=re.escape(cause)):
        built(task(softmax="adaptive", tie_weights=True))


def test_dropout_of_symbols_hides_a_symbol_everywhere(task):
    model = built(task(embedding_dropout=0.5))
    symbols = torch.arange(4, 12).repeat(3, 1)
    assert torch.equal(model.look_up(symbols), model.embedding(symbols))
    model.train()
    torch.manual_seed(1)
    found = model.look_up(symbols)
    hidden = (found == 0).all(-1)
    assert 0 < int(hidden[0].sum()) < 8
    assert torch.equal(hidden[0], hidden[1])
    assert torch.equal(found[~hidden], 2 * model.embedding(symbols)[~hidden])


def test_rare_symbols_are_hidden_in_training_alone(task):
    model = built(task(word_dropout=1e9))
    symbols = torch.arange(4, 12)[None]
    assert torch.equal(model.look_up(symbols), model.embedding(symbols))
    model.train()
    unknown = model.embedding(torch.full_like(symbols, UNKNOWN))
    assert torch.equal(model.look_up(symbols), unknown)
    ends = torch.full_like(symbols, END)
    assert torch.equal(model.look_up(ends), model.embedding(ends))


def test_labels_are_smoothed_in_training_alone(task):
    model = built(task(label_smoothing=0.3))
    features, right = model(SYMBOLS)[0].flatten(0, 1).detach(), SYMBOLS.flatten()
    logits = model.head(features)
    for training, smoothing in ((False, 0.0), (True, 0.3)):
        wanted = functional.cross_entropy(logits, right, reduction="sum", label_smoothing=smoothing)
        found = model.train(training).nats(features, right)
        torch.testing.assert_close(found, wanted, **EXACT)


@pytest.mark.parametrize("name", ["zoneout", "weight_dropout"])
def test_layers_take_their_noise(task, name):
    model = built(task(**{name: 0.5})).train()
    torch.manual_seed(0)
    first, second = model(SYMBOLS)[0], model(SYMBOLS)[0]
    assert not torch.equal(first, second)
    assert torch.equal(model.eval()(SYMBOLS)[0], model(SYMBOLS)[0])


def test_vectors_may_stay_as_they_are(task):
    assert not built(task(tune_vectors=False)).embedding.weight.requires_grad


def test_steps_are_those_of_a_whole_sequence(task):
    model = built(task())
    with torch.no_grad():
        features, _ = model(SYMBOLS)
        wanted = model.log_probabilities(features)
        _, early = model(SYMBOLS[:1])
        step = model.stepper(early, batch_size=2)
        torch.testing.assert_close(step(SYMBOLS[1]), wanted[1], **EXACT)
        torch.testing.assert_close(step(SYMBOLS[2]), wanted[2], **EXACT)


@pytest.mark.parametrize("cell", ["elman", "mut1"])
def test_any_cell_will_do(task, cell):
    model = built(task(cell=cell))
    features, _ = model(SYMBOLS)
    loss = model.nats(features.flatten(0, 1), SYMBOLS.flatten())
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
