import json
import zipfile
from pathlib import Path

import pytest
import torch

from cellwise.brackets import parse
from cellwise.data.trees import read_trees
from cellwise.errors import ConfigError, DataError
from cellwise.tasks import TASKS
from cellwise.tasks.bracket_scores import Compared, compare
from cellwise.tasks.parse import Parse
from cellwise.tasks.parse_config import ParseData, ParseDecoding, ParseModel
from tests.tasks import phrases
from tests.tasks.training_steps import trained
from tests.tolerances import TOLERANCE

CRAFT = Path(__file__).parents[2].parent / "shared" / "data" / "trees_craft" / "craft-dev.tree.zip"
EXACT = TOLERANCE[torch.float32]["exact"]
SMALL = {
    "embedding_size": 16,
    "hidden_size": 16,
    "encoder_layers": 1,
    "dropout": 0.0,
    "character_embedding_size": 16,
    "character_hidden_size": 16,
}
"""One size for all layers, so that a single kernel is compiled."""

SENTENCES = ["the dog saw a red cat .", "it barked up", "zebras , Zürich and 99 e-mails (?) !", "x"]


def task_of(data=None, model=None, decoding=None):
    return Parse(
        ParseData(**(data or {})),
        ParseModel(**{**SMALL, **(model or {})}),
        ParseDecoding(**(decoding or {})),
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return phrases.write(tmp_path_factory.mktemp("parse") / "trees.mrg", top="TOP")


@pytest.fixture(scope="module")
def parser(path):
    task = task_of({"train": path, "dev": path, "min_count": 1})
    return task, trained(task, task.read("train"), epochs=40, rate=0.02)


@pytest.fixture(scope="module")
def beginner(path):
    """A task whose model knows next to nothing."""
    task = task_of({"train": path, "dev": path})
    return task, trained(task, task.read("train"), epochs=1)


def evaluated(task, model, examples):
    with torch.no_grad():
        return task.evaluate(model, examples, batch_size=8, advance=lambda _: None)


def test_it_is_registered():
    assert TASKS["parse"] is Parse


def test_it_learns_the_phrases(parser):
    task, model = parser
    metrics = evaluated(task, model, task.read("dev"))
    assert metrics["f1"] == metrics["f1_40"] == metrics["complete_match"] == 100
    assert metrics["loss"] < 0.1
    (answer,) = task.predict(model, ["the dog chased a red cat ."])
    tree = "(S (NP (XX the) (XX dog)) (VP (XX chased) (NP (XX a) (XX red) (XX cat))) (XX .))"
    assert answer.text == f"(TOP {tree})"
    assert answer.record["tree"] == answer.text
    assert answer.record["phrases"] == [
        {"first": 0, "last": 6, "label": "S"},
        {"first": 0, "last": 1, "label": "NP"},
        {"first": 2, "last": 5, "label": "VP"},
        {"first": 3, "last": 5, "label": "NP"},
    ]
    assert json.loads(json.dumps(answer.record)) == answer.record


def test_trees_come_without_traces_tags_and_the_outermost_bracket(parser):
    task, _ = parser
    first, _, third, *_ = task.read("train")
    assert str(first.tree) == (
        "(S (NP (DT the) (NN dog)) (VP (VBD saw) (NP (DT a) (JJ red) (NN cat))) (. .))"
    )
    assert first.targets == ("(S (NP XX XX )NP (VP XX (NP XX XX XX )NP )VP XX )S",)
    assert third.source == "the dog saw ."
    assert task.top == "TOP"


@pytest.mark.parametrize("beam_size", [1, 4])
def test_whatever_it_knows_it_says_trees_over_the_words(beginner, beam_size):
    first, model = beginner
    task = Parse(first.data, first.model, ParseDecoding(beam_size=beam_size))
    task.restore(first.vocabularies())
    for text, answer in zip(SENTENCES, task.predict(model, SENTENCES), strict=True):
        (tree,) = parse([answer.text])
        expected = text.replace("(?)", "-LRB- ? -RRB-").split()
        assert list(tree.sentence()) == answer.record["words"] == expected
    assert evaluated(task, model, task.read("dev"))["well_formed"] == 100


def test_its_metrics_are_those_of_each_sentence_compared(beginner):
    task, model = beginner
    examples = [*task.read("dev"), task.read("dev")[0]]  # a sentence that occurs twice counts twice
    metrics = evaluated(task, model, examples)
    answers = task.predict(model, [one.source for one in examples])
    whole = Compared()
    for one, answer in zip(examples, answers, strict=True):
        (found,) = parse([answer.text])
        whole += compare(one.tree, found)
    assert whole.sentences == 28
    assert {name: metrics[name] for name in whole.metrics()} == whole.metrics()


def test_a_line_without_words_has_no_tree(parser):
    task, model = parser
    (answer,) = task.predict(model, ["  "])
    assert (answer.text, answer.labelled) == ("", None)
    assert answer.record["phrases"] == []


def test_a_model_without_probabilities_says_nothing(parser):
    task, _ = parser
    broken = task.build()
    for parameter in broken.parameters():
        torch.nn.init.constant_(parameter, torch.nan)
    (answer,) = task.predict(broken.eval(), ["it barked"])
    assert (answer.text, answer.record["log_probability"]) == ("", None)
    metrics = evaluated(task, broken, task.read("dev")[:3])
    assert (metrics["f1"], metrics["well_formed"]) == (0, 0)


def test_it_is_restored_from_what_it_saves(parser):
    task, model = parser
    again = task_of(task.data.model_dump())
    again.restore(json.loads(json.dumps(task.vocabularies())))
    copy = again.build()
    copy.load_state_dict(model.state_dict())
    texts = [one.text for one in again.predict(copy.eval(), SENTENCES)]
    assert texts == [one.text for one in task.predict(model, SENTENCES)]


def test_several_models_answer_together(parser, beginner):
    task, model = parser
    other = task.build().eval()
    both = task.ensemble([model, other])
    for answer in task.predict(both, SENTENCES):
        assert len(list(parse([answer.text]))) == 1
    alone = [one.text for one in task.predict(task.ensemble([model, model]), SENTENCES)]
    assert alone == [one.text for one in task.predict(model, SENTENCES)]


def test_rows_do_not_depend_on_their_batch_mates(beginner):
    task, model = beginner
    together = [one.record for one in task.predict(model, SENTENCES)]
    for text, record in zip(SENTENCES, together, strict=True):
        (alone,) = task.predict(model, [text])
        assert alone.record["tree"] == record["tree"]
        assert alone.record["log_probability"] == pytest.approx(
            record["log_probability"], rel=EXACT["rtol"], abs=EXACT["atol"]
        )


@pytest.mark.parametrize(
    "model",
    [
        {"attention": "none", "next_word": False},
        {"attention": "additive", "coverage": True},
        {"next_word": False, "input_feeding": True},
        {"character_hidden_size": 0, "share_embeddings": "target"},
    ],
)
def test_other_networks_learn_too(path, model):
    task = task_of({"train": path, "dev": path}, model)
    examples = task.read("train")
    before = evaluated(task, trained(task, examples, epochs=0), examples)
    after = evaluated(task, trained(task, examples, epochs=4), examples)
    assert after["loss"] < before["loss"] - 0.2
    assert after["well_formed"] == before["well_formed"] == 100


def test_the_best_answers_are_given_in_their_order(parser):
    task, model = parser
    best = Parse(task.data, task.model, ParseDecoding(beam_size=4, n_best=3))
    best.restore(task.vocabularies())
    (answer,) = best.predict(model, ["it saw a red cat ."])
    found = answer.record["n_best"]
    assert len({one["tree"] for one in found}) == 3
    assert [one["log_probability"] for one in found] == sorted(
        (one["log_probability"] for one in found), reverse=True
    )


def test_words_in_lower_case_and_raw_text(path):
    task = task_of({"train": path, "dev": path, "lowercase": True, "source_unit": "tokens"})
    model = trained(task, task.read("train"), epochs=0)
    assert "ada" in task.sources
    assert "Ada" not in task.sources
    (answer,) = task.predict(model, ["Ada (at home) barked."])
    assert answer.record["words"] == ["Ada", "-LRB-", "at", "home", "-RRB-", "barked", "."]


def test_dev_is_split_off_by_files_or_by_sentences(tmp_path):
    archive = tmp_path / "trees.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(12):
            file.writestr(f"a{number}.mrg", "\n".join(phrases.lines()))
    task = task_of({"train": str(archive), "dev_share": 0.3})
    parts = [{one.file for one in task.read(part)} for part in ("train", "dev")]
    assert parts[0] and parts[1] and not parts[0] & parts[1]
    single = task_of({"train": phrases.write(tmp_path / "one.mrg"), "dev_share": 0.3})
    sources = [{one.source for one in single.read(part)} for part in ("train", "dev")]
    assert sources[0] and sources[1] and not sources[0] & sources[1]


def test_long_sentences_are_left_out_of_training_alone(path):
    task = task_of({"train": path, "dev": path, "max_length": 6})
    assert max(len(one.source.split()) for one in task.read("train")) == 6
    assert len(task.read("dev")) == 27
    with pytest.raises(DataError) as error:
        task_of({"train": path, "dev": path, "max_length": 1}).read("train")
    assert str(error.value) == "every training sentence has more than data.max_length = 1 words"


def test_trees_of_traces_alone_are_left_out(tmp_path):
    file = tmp_path / "some.mrg"
    file.write_text("(S (-NONE- *))\n(NP (NN dogs))\n", encoding="utf-8")
    assert [one.source for one in task_of().read_file(file)] == ["dogs"]


def test_wrong_brackets_are_told_with_their_place(tmp_path):
    file = tmp_path / "wrong.mrg"
    file.write_text("(NP (NN dogs))\n(NP (NN cats)\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        task_of().read_file(file)
    assert str(error.value) == f"{file}, line 2, column 1: the tree that begins here lacks a ')'"


def test_without_a_file_it_says_what_to_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        task_of().read("train")
    assert str(error.value) == (
        "there is no train.mrg here. Say where trees are, in brackets, such as\n"
        "  (S (NP (PRP It)) (VP (VBZ works)) (. .)):\n"
        "  --set data.train=FILE --set data.dev=FILE --set data.test=FILE"
    )


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"attention": "none"}, 'attention = "none"'),
        ({"input_feeding": True}, "input_feeding = true"),
        ({"scheduled_sampling": 0.2}, "scheduled_sampling = 0.2"),
    ],
)
def test_the_next_word_needs_attention_and_right_symbols(model, said):
    with pytest.raises(ConfigError) as error:
        task_of(model=model)
    assert str(error.value) == (
        f"'model.next_word' is true, which does not go together with model.{said}; "
        "set model.next_word = false"
    )


@pytest.mark.real_data
@pytest.mark.skipif(not CRAFT.exists(), reason="needs ../shared/data/trees_craft")
def test_a_real_treebank_is_read_and_every_tree_of_it_may_be_written():
    task = task_of()
    sentences = task.read_file(CRAFT)
    assert len(sentences) == 2780
    assert sum(len(one.tree.sentence()) <= 40 for one in sentences) == 2401
    gold = [tuple(one.targets[0].split()) for one in sentences]
    report = task.scores(gold, sentences).metrics
    assert report["f1"] == report["complete_match"] == report["well_formed"] == 100
    traces = sum(tree.labels.count("-NONE-") for tree in read_trees(CRAFT))
    assert traces > 0
    assert not any("-NONE-" in one.tree.labels for one in sentences)


def test_a_test_part_is_read_where_training_files_are_gone(path):
    task = task_of({"train": "gone/*.mrg", "dev": str(path), "test": str(path)})
    assert task.read("test")
    with pytest.raises(DataError, match="no file matches this pattern"):
        task.read("train")
