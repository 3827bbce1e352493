"""`converse`: contexts, hidden contexts, perplexity over all turns, answers."""

from __future__ import annotations

import json
import math

import pytest
import torch

from cellwise.data.vocabulary import PAD
from cellwise.errors import ConfigError, DataError
from cellwise.tasks.converse import TURN, Converse
from cellwise.tasks.converse_config import ConverseData, ConverseDecoding, ConverseModel
from tests.tasks.training_steps import trained
from tests.tolerances import TOLERANCE

DIALOGUES = [
    ["Hello there!", "Hi, how are you?", "Fine, thanks.", "Good to hear."],
    ["Is it raining?", "No, it is sunny.", "Good."],
    ["Do you like tea?", "Yes, I do."],
    ["Bye!"],
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "dialogues.jsonl"
    path.write_text("\n".join(map(json.dumps, DIALOGUES)))
    return path


def task_of(path, *, context_dropout=0.1, mutual_information=0.0, judged=200, **data) -> Converse:
    given = {"train": str(path), "dev": str(path), "min_count": 1, **data}
    model = ConverseModel(
        embedding_size=12, hidden_size=16, dropout=0.0, context_dropout=context_dropout
    )
    decoding = ConverseDecoding(
        beam_size=2, mutual_information=mutual_information, judged_answers=judged
    )
    return Converse(ConverseData(**given), model, decoding)


def test_every_turn_but_the_first_is_an_answer_to_the_turns_before(path):
    pairs = task_of(path, context_turns=2).read("dev")
    assert len(pairs) == 3 + 2 + 1
    assert pairs[2].source == "¶ hi, how are you? ¶ fine, thanks."
    assert pairs[2].targets == ("good to hear.",)


def test_parts_are_split_by_dialogue(tmp_path):
    path = tmp_path / "many.jsonl"
    lines = [json.dumps([f"Question {i}?", f"Answer {i}.", f"Thanks {i}."]) for i in range(40)]
    path.write_text("\n".join(lines))
    task = task_of(path, dev="", dev_share=0.3)
    ids = {
        part: {pair.targets[0].split()[1].strip(".") for pair in task.read(part)}
        for part in ("train", "dev")
    }
    assert ids["dev"]
    assert not ids["train"] & ids["dev"]
    assert len(ids["train"] | ids["dev"]) == 40


def test_what_is_asked_is_read_as_contexts_of_training_are(path):
    task = task_of(path)
    expected = task.read("dev")[1].source
    assert task.folded("Hello there!\tHi,  how are you?") == expected
    assert task.folded(expected) == expected
    assert task.folded("\t".join(["Earlier.", *DIALOGUES[0][:3]])) == task.read("dev")[2].source


def test_long_contexts_keep_their_end(path):
    task = task_of(path, max_length=4)
    task.fit(task.read("train"))
    assert task.cut_source("¶ a b c d e") == ("b", "c", "d", "e")


def test_long_answers_are_not_learnt(path):
    assert len(task_of(path, max_length=2).read("train")) == 2
    assert len(task_of(path, max_length=2).read("dev")) == 6


def test_hidden_contexts_are_one_mark(path):
    task = task_of(path, context_dropout=0.5)
    pairs = [*task.read("train")] * 50
    task.fit(pairs)
    batch = task.collate(pairs)
    torch.manual_seed(0)
    hidden = task._hidden(batch)
    mark = task.sources.encode([TURN])[0]
    alone = hidden.lengths == 1
    assert 0.3 < float(alone.double().mean()) < 0.7
    assert (hidden.source[0, alone] == mark).all()
    assert (hidden.source[1:, alone] == PAD).all()
    assert torch.equal(hidden.source[:, ~alone], batch.source[:, ~alone])
    assert torch.equal(hidden.lengths[~alone], batch.lengths[~alone])


def test_perplexity_counts_every_turn_though_contexts_are_the_same(tmp_path):
    path = tmp_path / "same.jsonl"
    path.write_text('["Hi", "Hello you"]\n["Hi", "Good day to you"]\n')
    task = task_of(path, judged=0)
    pairs = task.read("dev")
    model = trained(task, pairs, epochs=1).double()
    with torch.no_grad():
        found = task.evaluate(model, pairs, batch_size=1, advance=lambda _: None)
        nats = [super(Converse, task).loss(model, task.collate([pair])) for pair in pairs]
    total = sum(float(loss) for loss, _ in nats) / sum(units for _, units in nats)
    assert found.keys() == {"loss", "perplexity"}
    assert found["loss"] == pytest.approx(total, rel=TOLERANCE[torch.float64]["grad"]["rtol"])
    assert found["perplexity"] == math.exp(found["loss"])


def test_it_learns_a_dialogue_and_answers_it(path):
    task = task_of(path, context_dropout=0.1)
    pairs = task.read("train")
    model = trained(task, [*pairs] * 10, epochs=40, rate=0.03)
    with torch.no_grad():
        found = task.evaluate(model, pairs, batch_size=8, advance=lambda _: None)
    assert found["perplexity"] < 1.5
    assert 0 < found["distinct_1"] <= 1
    (answer,) = task.predict(model, ["Do you like tea?"])
    assert answer.text == "yes, i do."


def test_mutual_information_changes_what_is_said(path):
    task = task_of(path, context_dropout=0.3, mutual_information=1.0)
    pairs = task.read("train")
    model = trained(task, [*pairs] * 10, epochs=3)
    (weighed,) = task.predict(model, ["Is it raining?"])
    plain = task_of(path, context_dropout=0.3)
    plain.restore(task.vocabularies())
    (answer,) = plain.predict(model, ["Is it raining?"])
    assert weighed.record["score"] != answer.record["log_probability"]
    assert "log_probability" not in weighed.record  # it is none


def test_choices_that_do_not_go_together_are_refused_at_once(path):
    task = task_of(path, mutual_information=0.5)
    right_to_left = task.model.model_copy(update={"right_to_left": True})
    with pytest.raises(ConfigError) as caught:
        Converse(task.data, right_to_left, task.decoding)
    assert str(caught.value) == (
        "'decoding.mutual_information' weighs the first symbols of an answer, but a model with "
        "model.right_to_left = true writes the last ones first: set it to 0"
    )
    with pytest.raises(ConfigError) as caught:
        Converse(task.data, task.model, ConverseDecoding(metric="bleu", judged_answers=0))
    assert str(caught.value) == (
        "'decoding.metric' is \"bleu\", which needs answers to judge, but decoding.judged_answers "
        "is 0"
    )
    with pytest.raises(ConfigError, match=r"'decoding.n_best' is 3, but a search with"):
        Converse(task.data, task.model, ConverseDecoding(n_best=3, beam_size=2))


def test_every_metric_that_can_be_chosen_is_reported(path):
    task = task_of(path)
    pairs = task.read("dev")
    task.fit(pairs)
    with torch.no_grad():
        found = task.evaluate(task.build().eval(), pairs, batch_size=2, advance=lambda _: None)
    assert {"loss", "bleu"} <= set(found)


def test_a_great_loss_has_an_infinite_perplexity(path, monkeypatch):
    task = task_of(path, judged=0)
    pairs = task.read("dev")
    task.fit(pairs)
    monkeypatch.setattr(Converse, "_nats", lambda *_: torch.tensor(1e6))
    found = task.evaluate(task.build().eval(), pairs, batch_size=2, advance=lambda _: None)
    assert found["perplexity"] == math.inf


def test_dialogues_of_one_turn_have_no_answer(tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text('["hello"]\n["good morning"]\n')
    with pytest.raises(DataError) as caught:
        task_of(path).read("train")
    assert (
        str(caught.value) == "every dialogue of data.train has one turn alone: there is no answer"
    )


def test_an_empty_context_gets_an_empty_answer(path):
    task = task_of(path)
    model = trained(task, task.read("train"), epochs=1)
    assert [answer.text for answer in task.predict(model, ["", " \t "])] == ["", ""]


def test_nothing_to_evaluate_on_is_said(path):
    task = task_of(path)
    model = trained(task, task.read("train"), epochs=1)
    with pytest.raises(DataError) as caught:
        task.evaluate(model, [], batch_size=8, advance=lambda _: None)
    assert str(caught.value) == "there is no turn to evaluate on that has one before it"
