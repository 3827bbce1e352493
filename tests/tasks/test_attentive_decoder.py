from typing import Any

import pytest
import torch

from cellwise.data.vocabulary import END, START, UNKNOWN, Vocabulary
from cellwise.heads.coverage import read_again
from cellwise.heads.search import Rules, search
from cellwise.losses.cross_entropy import cross_entropy
from cellwise.tasks.encoder_decoder import EncoderDecoder
from cellwise.tasks.transduce_config import TransduceModel
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
GRAD = TOLERANCE[torch.float64]["grad"]

KINDS: dict[str, dict[str, Any]] = {
    "none": {"attention": "none"},
    "additive": {"attention": "additive"},
    "fed": {"input_feeding": True},
    "covered": {"attention": "additive", "coverage": True},
    "fed and covered": {"attention": "additive", "coverage": True, "input_feeding": True},
    "tied": {"share_embeddings": "target"},
    "sampled": {"scheduled_sampling": 0.5, "sampling_batches": 1},
}


def model_of(**options):
    torch.manual_seed(1)
    config = TransduceModel(**{"embedding_size": 6, "hidden_size": 8, "dropout": 0.0, **options})
    return EncoderDecoder(config, 9, 9).double().eval()


def case():
    torch.manual_seed(2)
    source, lengths = torch.randint(4, 9, (5, 3)), torch.tensor([5, 2, 4])
    return source, lengths, torch.randint(4, 9, (4, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_target_at_once_is_step_by_step(kind):
    model, (source, lengths, symbols) = model_of(**KINDS[kind], decoder_layers=2), case()
    reading = model.encode(source, lengths)
    together = model.write(symbols, reading.memory, reading.state)
    state, steps = reading.state, []
    for symbol in symbols:
        steps.append(model.write(symbol[None], reading.memory, state))
        state = steps[-1].state
    torch.testing.assert_close(
        together.features, torch.cat([step.features for step in steps]), **EXACT
    )
    for one, other in zip(together.state, state, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_mates_and_padding_do_not_matter(kind):
    model, (source, lengths, symbols) = model_of(**KINDS[kind]), case()
    together = model(source, lengths, symbols)
    for row, length in enumerate(lengths.tolist()):
        alone = model(source[:length, row, None], lengths[row, None], symbols[:, row, None])
        torch.testing.assert_close(together[:, row, None], alone, **EXACT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_search_scores_as_the_model_does(kind, beam_size):
    model, (source, lengths, _) = model_of(**KINDS[kind]), case()
    reading = model.encode(source, lengths)
    rules = Rules(START, END, beam_size)
    with torch.no_grad():
        for row, found in enumerate(search(model.stepper(reading), reading.state, lengths, rules)):
            own = model.encode(source[: lengths[row], row, None], lengths[row, None])
            path = [START, *found.symbols, END]
            logits = model.logits(own, torch.tensor(path[:-1])[:, None])[:, 0]
            logits[:, [0, 1, 2]] = -torch.inf
            log_p = torch.log_softmax(logits, dim=-1)
            score = sum(log_p[t, symbol] for t, symbol in enumerate(path[1:]))
            torch.testing.assert_close(float(score), found.log_probability, **EXACT)


def test_without_attention_the_last_states_are_all_that_is_known():
    model, (source, lengths, symbols) = model_of(attention="none"), case()
    reading = model.encode(source, lengths)
    assert reading.memory is None
    outputs, _ = model.decoder(model.target(symbols), reading.state)
    joined = torch.tanh(model.join(outputs))
    torch.testing.assert_close(model(source, lengths, symbols), model.head(joined), **EXACT)
    counts = torch.tensor([4, 4, 4])
    assert model.attention_weights(reading, symbols, counts) is None


def test_input_feeding_is_luongs():
    model, (source, lengths, symbols) = model_of(input_feeding=True), case()
    reading = model.encode(source, lengths)
    seen, _ = model.encoder(model.source(source), lengths=lengths)
    assert model.attention is not None
    memory = model.attention.remember(seen, lengths)
    fed, state = torch.zeros(1, 3, 8).double(), reading.state[:2]
    for step, symbol in enumerate(symbols):
        outputs, state = model.decoder(torch.cat([model.target(symbol[None]), fed], -1), state)
        fed = torch.tanh(model.join(torch.cat([model.attention(outputs, memory), outputs], -1)))
        expected = model.head(fed)[0]
        torch.testing.assert_close(model(source, lengths, symbols)[step], expected, **EXACT)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_the_logits_where_they_count(smoothing):
    model, (source, lengths, before) = model_of(label_smoothing=smoothing), case()
    after, counts = torch.randint(4, 9, (4, 3)), torch.tensor([4, 1, 3])
    reading = model.encode(source, lengths)
    logits = model.logits(reading, before, counts)
    for row, count in enumerate(counts.tolist()):
        after[count:, row] = 0
    for training in (True, False):
        found = model.train(training).nats(reading, before, after, counts)
        expected = cross_entropy(logits, after, ignore=0, smoothing=smoothing * training)
        torch.testing.assert_close(found, expected, **EXACT)


def test_the_loss_of_coverage_is_added_in_training():
    options = {"attention": "additive", "coverage": True}
    (source, lengths, before), after = case(), torch.randint(4, 9, (4, 3))
    counts = torch.tensor([4, 1, 3])
    without, half = model_of(**options, coverage_loss=0), model_of(**options, coverage_loss=0.5)
    reading = half.encode(source, lengths)
    weights = half.attention_weights(reading, before, counts)
    again = read_again(weights)
    expected = sum(again[:count, row].sum() for row, count in enumerate(counts.tolist()))
    plain, more = (m.train().nats(reading, before, after, counts) for m in (without, half))
    torch.testing.assert_close(more - plain, 0.5 * expected, **GRAD)
    judged = half.eval().nats(reading, before, after, counts)
    torch.testing.assert_close(judged, plain, **EXACT)


def test_an_own_symbol_is_what_the_decoder_says_most():
    model, (source, lengths, symbols) = model_of(scheduled_sampling=1.0, sampling_batches=1), case()
    with torch.no_grad():
        model.head.linear.weight.zero_()
        model.head.linear.bias.copy_(torch.tensor([-1e6] * 7 + [0.0] + [-1e6]))
    reading = model.encode(source, lengths)
    model.train()
    first = model.write(symbols, reading.memory, reading.state)
    right = model.eval().write(symbols, reading.memory, reading.state)
    torch.testing.assert_close(first.features, right.features, **EXACT)
    own = symbols.clone()
    own[1:] = 7
    said = model.write(own, reading.memory, reading.state)
    second = model.train().write(symbols, reading.memory, reading.state)
    torch.testing.assert_close(second.features, said.features, **EXACT)


def test_in_steps_a_sequence_keeps_its_dropout():
    model, (source, lengths, _) = model_of(input_feeding=True, dropout=0.5, hidden_size=40), case()
    reading = model.encode(source, lengths)
    same = torch.full((6, 3), 5)
    dropped = model.train().write(same, reading.memory, reading.state).features == 0
    assert dropped.any()
    assert (dropped == dropped[:1]).all()


def test_shared_embeddings_are_one_matrix():
    target, everything = (model_of(share_embeddings=kind) for kind in ("target", "all"))
    assert target.head.weight is target.target.weight
    assert target.source.weight is not target.target.weight
    assert everything.source is everything.target
    names = {name for name, _ in everything.named_parameters()}
    assert "head.weight" not in names
    assert sum(p.numel() for p in everything.parameters()) < sum(
        p.numel() for p in target.parameters()
    )


def test_hidden_words_are_unknown_in_training_alone():
    model, (source, lengths, _) = model_of(word_dropout=1e9), case()
    model.hide_words(Vocabulary("abcde", [1] * 5))
    unknown = model.encode(torch.full_like(source, UNKNOWN), lengths)
    hidden = model.train().encode(source, lengths)
    torch.testing.assert_close(hidden.seen, unknown.seen, **EXACT)
    assert not torch.equal(model.eval().encode(source, lengths).seen, unknown.seen)


@pytest.mark.parametrize("cell", ["gru", "lstm", "elman"])
@pytest.mark.parametrize("kind", ["fed and covered", "sampled"])
def test_all_weights_learn(cell, kind):
    model, (source, lengths, before) = model_of(**KINDS[kind], cell=cell, dropout=0.3), case()
    model.train()
    for _ in range(2):
        reading = model.encode(source, lengths)
        model.nats(reading, before, torch.randint(4, 9, (4, 3)), torch.tensor([4, 1, 3])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name
