"""What `transduce` can do besides: several answers, attention, ensembles, constraints."""

import json
from dataclasses import dataclass

import pytest
import torch

from cellwise.data.vocabulary import END
from cellwise.errors import ConfigError
from cellwise.heads.search import Step
from cellwise.tasks.transduce import Transduce
from cellwise.tasks.transduce_config import TransduceDecoding
from tests.tasks.training_steps import trained
from tests.tasks.transductions import fitted, parallel, reversals, task_of
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]


# What goes together.


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            {"coverage": True},
            "'model.coverage' is true, which needs model.attention = \"additive\", but that is "
            '"multiplicative"',
        ),
        (
            {"input_feeding": True, "attention": "none"},
            "'model.input_feeding' is true, but with model.attention = \"none\" there is nothing "
            "to feed",
        ),
        (
            {"share_embeddings": "all"},
            "'model.share_embeddings' is \"all\", which needs data.source_unit and "
            'data.target_unit to be the same, but they are "characters" and "words"',
        ),
    ],
)
def test_choices_that_do_not_go_together_are_refused(model, message):
    with pytest.raises(ConfigError) as error:
        task_of(model=model)
    assert str(error.value) == message


def test_the_metric_that_decides_can_be_chosen():
    task = task_of(decoding={"metric": "bleu"})
    assert (task.metric, task.goal) == ("bleu", "max")
    assert (task_of().metric, task_of().goal) == ("token_error_rate", "min")


# Answers.


@pytest.fixture(scope="module")
def reverser(tmp_path_factory):
    task = task_of(data=reversals(tmp_path_factory.mktemp("reverse")))
    return task, trained(task, task.read("train"), epochs=40)


def test_several_answers_come_with_their_probabilities(reverser):
    task, model = reverser
    task.decoding = TransduceDecoding(beam_size=4, n_best=3)
    answers = list(task.predict(model, ["abc", ""]))
    several = answers[0].record["n_best"]
    assert several[0]["output"] == answers[0].text == "cba"
    assert len({one["output"] for one in several}) == 3
    scores = [one["log_probability"] for one in several]
    assert scores == sorted(scores, reverse=True)
    assert json.loads(json.dumps(several))[0].keys() == {"output", "symbols", "log_probability"}
    assert answers[1].record["n_best"] == [{"output": "", "symbols": [], "log_probability": None}]


def test_choices_that_do_not_go_together_are_refused_at_once(reverser):
    task, _ = reverser
    for decoding, said in (
        (
            {"beam_size": 2, "n_best": 3},
            "'decoding.n_best' is 3, but a search with decoding.beam_size = 2 finds no more "
            "answers than that",
        ),
        (
            {"metric": "chrf"},
            "'decoding.metric' is \"chrf\", which is not computed of data.target_unit = "
            '"characters", where "bleu" counts characters already',
        ),
    ):
        with pytest.raises(ConfigError) as error:
            Transduce(task.data, task.model, TransduceDecoding(**decoding))
        assert str(error.value) == said


def test_attention_tells_where_each_symbol_looked(reverser):
    task, model = reverser
    task.decoding = TransduceDecoding(attention=True)
    for batch in (["abcabcabc", "dda"], ["dda"]):
        record = list(task.predict(model, batch))[-1].record["attention"]
        assert record["source"] == ["d", "d", "a"]
        assert record["target"] == ["a", "d", "d", "<end>"]
        weights = torch.tensor(record["weights"])
        assert weights.shape == (4, 3)
        torch.testing.assert_close(weights.sum(-1), torch.ones(4), **EXACT)
    assert next(task.predict(model, [""])).record["attention"] == {
        "source": [],
        "target": [],
        "weights": [],
    }


def test_a_model_without_attention_has_none_to_tell(tmp_path):
    sections = {"data": reversals(tmp_path), "model": {"attention": "none"}}
    task = fitted(**sections, decoding={"attention": True})
    with pytest.raises(ConfigError) as error:
        list(task.predict(task.build().eval(), ["abc"]))
    assert str(error.value) == "there is no attention to show: model.attention is 'none'"


def test_the_vector_of_a_text_is_the_mean_of_what_the_encoder_saw(reverser):
    task, model = reverser
    together = list(task.encode(model, ["abc", "", "d"]))
    with torch.no_grad():
        outputs, _ = model.encoder(model.source(torch.tensor(task.sources.encode("abc"))[:, None]))
    torch.testing.assert_close(together[0], outputs[:, 0].mean(0), **EXACT)
    assert (together[1] == 0).all()
    for text, found in zip(["abc", "", "d"], together, strict=True):
        torch.testing.assert_close(next(task.encode(model, iter([text]))), found, **EXACT)


def test_an_ensemble_answers_evaluates_and_encodes(reverser, tmp_path):
    task, model = reverser
    task.decoding = TransduceDecoding(attention=True)
    other = trained(task_of(data=reversals(tmp_path)), task.read("train"), epochs=2)
    both = task.ensemble([model, other]).eval()
    answer = next(task.predict(both, ["abc"]))
    assert answer.record["attention"]["source"] == ["a", "b", "c"]
    with torch.no_grad():
        losses = [
            task.evaluate(one, task.read("dev"), batch_size=16, advance=lambda _: None)["loss"]
            for one in (model, both, other)
        ]
        assert losses == sorted(losses)
        vectors = [next(task.encode(one, ["abc"])) for one in (model, other, both)]
    torch.testing.assert_close(vectors[2], torch.cat(vectors[:2]), **EXACT)
    alone = task.ensemble([model, model]).eval()
    texts = [answer.text for answer in task.predict(alone, ["abc", "bd"])]
    assert texts == [answer.text for answer in task.predict(model, ["abc", "bd"])]


def test_an_evaluation_tells_the_signatures_of_its_scores(tmp_path):
    units = {"source_unit": "words", "target_unit": "words"}
    task = fitted(data={**parallel(tmp_path), **units})
    with torch.no_grad():
        report = task.report(
            task.build().eval(), task.read("dev"), batch_size=2, advance=lambda _: None
        )
    assert set(report.notes) == {"bleu_signature", "chrf_signature"}
    assert {"loss", "bleu", "chrf"} <= set(report.metrics)


# A task of one's own.


@dataclass(frozen=True)
class OfLength:
    """Allows the end after `left` symbols alone, which it counts down in the state."""

    inner: Step

    def __call__(self, last, state):
        log_p, after = self.inner(last, state[:-1])
        left = state[-1][0, :, 0]
        is_end = torch.arange(log_p.shape[-1]) == END
        forbidden = torch.where(left[:, None] == 0, ~is_end, is_end)
        return log_p.masked_fill(forbidden, -torch.inf), (*after, state[-1] - 1)

    def of(self, rows):
        return OfLength(self.inner.of(rows))


class SameLength(Transduce):
    """Answers are as long as sources."""

    name = "same_length"

    def writer(self, network, reading, batch):
        step, state = super().writer(network, reading, batch)
        return OfLength(step), (*state, batch.lengths[None, :, None].float())

    def limits(self, batch):
        return batch.lengths


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_task_may_constrain_what_is_written(tmp_path, beam_size):
    data, decoding = reversals(tmp_path), {"beam_size": beam_size}
    task = task_of(SameLength, data=data, decoding=decoding)
    task.fit(task.read("train"))
    torch.manual_seed(0)
    models = [task.build().eval(), task.build().eval()]
    for model in (models[0], task.ensemble(models)):
        lines = ["a", "abcd", "abcabcabc", "bb"]
        lengths = [len(answer.text) for answer in task.predict(model, lines)]
        assert lengths == [len(line) for line in lines]
