from typing import Any

import torch

from cellwise.data.vocabulary import END, START
from cellwise.heads.search import Rules, search
from cellwise.tasks.encoder_decoder import EncoderDecoder
from cellwise.tasks.ensemble import Ensemble, Readings
from cellwise.tasks.transduce_config import TransduceModel
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"cell": "gru", "hidden_size": 6, "attention": "none"},
    {"attention": "additive", "coverage": True, "input_feeding": True, "decoder_layers": 2},
)


def members():
    torch.manual_seed(3)
    return [
        EncoderDecoder(
            TransduceModel(**{"embedding_size": 6, "hidden_size": 8, "dropout": 0.0, **options}),
            9,
            9,
        ).double()
        for options in OPTIONS
    ]


def case(found):
    source, lengths = torch.randint(4, 9, (5, 3)), torch.tensor([5, 2, 4])
    return Readings.together([model.encode(source, lengths) for model in found]), lengths


def test_probabilities_are_means_whatever_the_models_are():
    models = members()
    readings, _ = case(models)
    symbols = torch.randint(4, 9, (4, 3))
    found = Ensemble(models).logits(readings, symbols).exp()
    each = [
        torch.softmax(model.logits(own, symbols), dim=-1)
        for model, own in zip(models, readings.each, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(each).mean(0), **EXACT)
    torch.testing.assert_close(found.sum(-1), torch.ones(4, 3).double(), **EXACT)


def test_the_loss_is_that_of_the_mean_and_padding_does_not_count():
    models = members()
    readings, _ = case(models)
    before, after = torch.randint(4, 9, (4, 3)), torch.randint(4, 9, (4, 3))
    counts = torch.tensor([4, 1, 3])
    for row, count in enumerate(counts.tolist()):
        after[count:, row] = 0
    ensemble = Ensemble(models)
    log_p = ensemble.logits(readings, before)
    expected = -sum(
        log_p[t, row, after[t, row]] for row, n in enumerate(counts.tolist()) for t in range(n)
    )
    torch.testing.assert_close(ensemble.nats(readings, before, after, counts), expected, **EXACT)


def test_copies_of_a_model_answer_as_it_does():
    model = members()[0]
    readings, lengths = case([model, model, model])
    alone = readings.each[0]
    for beam_size in (1, 4):
        rules = Rules(START, END, beam_size)
        one = search(model.stepper(alone), alone.state, lengths, rules)
        all_of_them = Ensemble([model] * 3).stepper(readings)
        together = search(all_of_them, readings.state, lengths, rules)
        assert [found.symbols for found in one] == [found.symbols for found in together]


def test_a_search_scores_as_the_ensemble_does():
    models = members()
    readings, lengths = case(models)
    ensemble = Ensemble(models)
    found = search(ensemble.stepper(readings), readings.state, lengths, Rules(START, END, 3))
    with torch.no_grad():
        for row, answer in enumerate(found):
            path = [START, *answer.symbols, END]
            symbols = torch.tensor(path[:-1])[:, None].expand(-1, 3)
            log_p = torch.stack(
                [
                    torch.log_softmax(
                        model.logits(own, symbols)[:, row].index_fill(
                            1, torch.tensor([0, 1, 2]), -torch.inf
                        ),
                        dim=-1,
                    )
                    for model, own in zip(models, readings.each, strict=True)
                ]
            )
            mean = log_p.exp().mean(0).log()
            score = sum(float(mean[t, symbol]) for t, symbol in enumerate(path[1:]))
            torch.testing.assert_close(score, answer.log_probability, **EXACT)


def test_attention_is_the_mean_of_those_that_have_it():
    models = members()
    readings, _ = case(models)
    symbols, counts = torch.randint(4, 9, (4, 3)), torch.tensor([4, 2, 3])
    found = Ensemble(models).attention_weights(readings, symbols, counts)
    each = [models[i].attention_weights(readings.each[i], symbols, counts) for i in (0, 2)]
    torch.testing.assert_close(found, torch.stack(each).mean(0), **EXACT)
    only = Readings.together(readings.each[1:2])
    assert Ensemble(models[1:2]).attention_weights(only, symbols, counts) is None
