"""Decoders that write the last symbol first, alone and together with others."""

import itertools
import math

import pytest
import torch
from pydantic import ValidationError

from cellwise.data.batches import lengths_of, pad
from cellwise.data.vocabulary import END, PAD, START
from cellwise.heads.search import Rules, search
from cellwise.heads.turning import turned
from cellwise.tasks.encoder_decoder import EncoderDecoder
from cellwise.tasks.ensemble import BothWays, Ensemble, Readings
from cellwise.tasks.parse_config import ParseModel
from cellwise.tasks.transduce_config import TransduceDecoding, TransduceModel
from cellwise.tasks.transduce_proposals import judged
from tests.tasks.test_attentive_decoder import KINDS
from tests.tasks.test_transduce_options import SameLength
from tests.tasks.training_steps import trained
from tests.tasks.transductions import reversals, task_of
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]
TEXTS = [[4, 5, 6], [7], [], [8, 8, 4, 5]]


def model_of(seed, **options):
    torch.manual_seed(seed)
    config = TransduceModel(**{"embedding_size": 6, "hidden_size": 8, "dropout": 0.0, **options})
    return EncoderDecoder(config, 9, 9).double().eval()


def pair_of(**options):
    """The same weights, written with in both directions."""
    left, right = model_of(1, **options), model_of(1, **options, right_to_left=True)
    right.load_state_dict(left.state_dict())
    return left, right


def written(texts):
    """Texts after a start, before an end, and their lengths."""
    before = [[START, *text] for text in texts]
    after = pad([[*text, END] for text in texts], PAD)
    return pad(before, PAD), after, lengths_of(before)


def read(model):
    torch.manual_seed(2)
    sources = torch.randint(4, 9, (5, len(TEXTS)))
    return model.encode(sources, torch.randint(1, 6, (len(TEXTS),)))


# A decoder alone.


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_costs_what_its_reverse_costs_the_other_way(kind):
    left, right = pair_of(**KINDS[kind])
    texts, mirrored = written(TEXTS), written([text[::-1] for text in TEXTS])
    reading = read(left)
    with torch.no_grad():
        assert left.nats(reading, *texts) != left.nats(reading, *mirrored)
        torch.testing.assert_close(
            right.nats(reading, *texts), left.nats(reading, *mirrored), **EXACT
        )
        torch.testing.assert_close(
            right.log_probabilities(reading, *texts),
            left.log_probabilities(reading, *mirrored),
            **EXACT,
        )


@pytest.mark.parametrize("kind", ["additive", "fed and covered"])
def test_attention_is_told_in_the_order_of_reading(kind):
    left, right = pair_of(**KINDS[kind])
    before, _, lengths = written(TEXTS)
    mirrored, _, _ = written([text[::-1] for text in TEXTS])
    reading = read(left)
    with torch.no_grad():
        found = right.attention_weights(reading, before, lengths)
        expected = left.attention_weights(reading, mirrored, lengths)
    torch.testing.assert_close(found, turned(expected, lengths - 1), **EXACT)
    for row, text in enumerate(TEXTS):  # the end is told last, whenever it is written
        torch.testing.assert_close(found[len(text), row], expected[len(text), row], **EXACT)


@pytest.mark.parametrize("right_to_left", [False, True])
def test_a_search_counts_probabilities_as_texts_are_judged(right_to_left):
    models = [model_of(seed, right_to_left=right_to_left) for seed in (1, 2)]
    readings = Readings.together([read(model) for model in models])
    limits, rules = torch.full((len(TEXTS),), 4), Rules(START, END, 3)
    for network, reading in ((models[0], readings.each[0]), (Ensemble(models), readings)):
        found = search(network.stepper(reading), reading.state, limits, rules)
        texts = [one.symbols[::-1] if right_to_left else one.symbols for one in found]
        with torch.no_grad():
            scores = network.log_probabilities(reading, *written(texts))
        expected = torch.tensor([one.log_probability for one in found], dtype=torch.float64)
        torch.testing.assert_close(scores, expected, **EXACT)


# Together.


def both_ways(seeds=(1, 2, 3)):
    models = [model_of(seed, right_to_left=seed == 2) for seed in seeds]
    network = BothWays(models)
    return network, Readings.together([read(model) for model in network])


def test_all_models_count_alike():
    network, readings = both_ways()
    assert [member.right_to_left for member in network] == [False, False, True]
    (left, own_left), (right, own_right) = network.apart(readings)
    texts = written(TEXTS)
    with torch.no_grad():
        for judge in ("log_probabilities", "nats"):
            found = getattr(network, judge)(readings, *texts)
            each = getattr(left, judge)(own_left, *texts), getattr(right, judge)(own_right, *texts)
            torch.testing.assert_close(found, (2 * each[0] + each[1]) / 3, **EXACT)
        before, _, lengths = texts
        weights = network.attention_weights(readings, before, lengths)
    sums = weights.sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums), **EXACT)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_the_best_of_all_texts_is_found_and_what_is_said_of_it_is_true(penalty):
    network, readings = both_ways()
    everything = [t for n in range(3) for t in itertools.product(range(4, 9), repeat=n)]
    rules = Rules(START, END, 5, penalty)
    found = judged(network, readings, [everything] * len(TEXTS), rules)
    for row, those in enumerate(found):
        assert sorted(tuple(one.symbols) for one in those) == sorted(everything)
        own = readings.of(torch.tensor([row] * len(everything)))
        with torch.no_grad():
            scores = network.log_probabilities(own, *written(everything))
        by_text = dict(zip(everything, scores.tolist(), strict=True))
        ranks = [by_text[tuple(one.symbols)] / (len(one.symbols) + 1) ** penalty for one in those]
        assert ranks == sorted(ranks, reverse=True)
        said = torch.tensor([one.log_probability for one in those])
        true = torch.tensor([by_text[tuple(one.symbols)] for one in those])
        torch.testing.assert_close(said, true, **TOLERANCE[torch.float32]["exact"])


def test_proposals_without_a_probability_come_last():
    network, readings = both_ways()
    with torch.no_grad():
        for part in network.parameters():
            part.fill_(math.nan)
    rules = Rules(START, END, 2)
    (found,) = judged(network, readings.of(torch.tensor([0])), [[(4,), (5,)]], rules)
    assert [one.symbols for one in found] == [[4], [5]]
    assert all(math.isnan(one.log_probability) for one in found)


@pytest.fixture(scope="module")
def reversers(tmp_path_factory):
    """Two models that turn words round, and write in different directions."""
    data = reversals(tmp_path_factory.mktemp("reverse"))
    tasks = [task_of(data=data, model={"right_to_left": way}) for way in (False, True)]
    return tasks, [trained(task, task.read("train"), epochs=40) for task in tasks]


def test_it_learns_and_answers_in_the_order_of_reading(reversers):
    (_, task), (_, model) = reversers
    task.decoding = TransduceDecoding(beam_size=4, n_best=2, attention=True)
    answers = list(task.predict(model, ["abc", "dda", "abd"]))
    assert [answer.text for answer in answers] == ["cba", "add", "dba"]
    assert answers[0].record["attention"]["target"] == ["c", "b", "a", "<end>"]
    with torch.no_grad():
        found = task.evaluate(model, task.read("dev"), batch_size=16, advance=lambda _: None)
    assert found["sequence_error_rate"] < 10


def test_both_directions_answer_together(reversers):
    (task, _), models = reversers
    network = task.ensemble(models).eval()
    assert isinstance(network, BothWays)
    task.decoding = TransduceDecoding(beam_size=4, n_best=3, attention=True)
    lines = ["abc", "", "dda", "a"]
    together = list(task.predict(network, lines))
    assert [answer.text for answer in together][:3] == ["cba", "", "add"]
    assert len(together[0].record["n_best"]) == 3
    weights = torch.tensor(together[0].record["attention"]["weights"])
    torch.testing.assert_close(weights.sum(-1), torch.ones(4), **TOLERANCE[torch.float32]["exact"])
    for line, answer in zip(lines, together, strict=True):
        alone = next(task.predict(network, [line])).record
        assert alone["output"] == answer.record["output"]
        score = alone["log_probability"]
        torch.testing.assert_close(score, answer.record["log_probability"], rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        dev = task.read("dev")
        losses = [
            task.evaluate(one, dev, batch_size=16, advance=lambda _: None)["loss"]
            for one in (*models, network)
        ]
        vectors = [next(task.encode(one, ["abc"])) for one in (*models, network)]
    torch.testing.assert_close(losses[2], sum(losses[:2]) / 2, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(vectors[2], torch.cat(vectors[:2]))


def test_what_is_allowed_is_held_in_both_directions(tmp_path):
    data = reversals(tmp_path)
    tasks = [
        task_of(SameLength, data=data, model={"right_to_left": way}, decoding={"beam_size": 3})
        for way in (False, True)
    ]
    torch.manual_seed(0)
    for task in tasks:
        task.fit(task.read("train"))
    network = tasks[0].ensemble([task.build().eval() for task in tasks])
    lines = ["a", "abcd", "abcabcabc", "bb"]
    lengths = [len(answer.text) for answer in tasks[0].predict(network, lines)]
    assert lengths == [len(line) for line in lines]


def test_trees_are_written_from_left_to_right():
    with pytest.raises(ValidationError, match="right_to_left"):
        ParseModel(right_to_left=True)
