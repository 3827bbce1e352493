import json

import pytest
import torch

from cellwise.data.labelled import Labelled
from cellwise.errors import DataError
from cellwise.tasks import TASKS
from cellwise.tasks.classify import Classify
from cellwise.tasks.classify_config import ClassifyData, ClassifyDecoding, ClassifyModel
from tests.tasks.training_steps import trained
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float32]["exact"]
SMALL = {
    "hidden_size": 8,
    "embedding_size": 6,
    "embedding_range": 2.0,
    "dropout": 0.0,
    "embedding_dropout": 0.0,
}
GOOD, BAD = ("lovely", "great", "fine"), ("dull", "grim", "poor")
THINGS = ("film", "story", "play")


def task_of(model=None, decoding=None, **data):
    settings = {**SMALL, **(model or {})}
    return Classify(
        ClassifyData(**data), ClassifyModel(**settings), ClassifyDecoding(**(decoding or {}))
    )


def reviews():
    """A `not` turns a text round, so that its class is read off the order of the words."""
    return [
        Labelled(
            f"it is {turn}a {word} {thing} {'!' * n_marks}".strip(),
            ("good" if (word in GOOD) != bool(turn) else "bad",),
        )
        for word in GOOD + BAD
        for thing in THINGS
        for turn in ("", "not ")
        for n_marks in range(3)
    ]


def subjects():
    """Texts about several things, or about none."""
    words = {"oil": "markets", "gold": "markets", "goal": "sport", "vote": "politics"}
    pairs = [(a, b) for a in (*words, "rain") for b in (*words, "rain")]
    return [
        Labelled(f"the {a} and the {b}", tuple({words[w]: None for w in (a, b) if w in words}))
        for a, b in pairs
    ]


@pytest.fixture(scope="module")
def reviewer():
    task = task_of(model={"pooling": "attention"})
    return task, trained(task, reviews(), epochs=15, rate=0.03)


@pytest.fixture(scope="module")
def sorter():
    task = task_of(multi_label=True)
    return task, trained(task, subjects(), epochs=80, rate=0.03)


def evaluated(task, model, examples, **options):
    with torch.no_grad():
        return task.report(
            model, examples, **{"batch_size": 16, "advance": lambda _: None, **options}
        )


def test_it_is_registered():
    assert TASKS["classify"] is Classify
    assert (task_of().metric, task_of(multi_label=True).metric) == ("accuracy", "micro_f1")


def test_it_learns_what_depends_on_order(reviewer):
    task, model = reviewer
    report = evaluated(task, model, reviews())
    assert report.metrics["accuracy"] == report.metrics["macro_f1"] == 1.0
    assert report.metrics["loss"] < 0.1
    assert report.confusion.counts == ((54, 0), (0, 54))


@pytest.mark.parametrize(("pooling", "both"), [("last", False), ("mean", True), ("max", False)])
def test_every_pooling_learns(pooling, both):
    task = task_of(model={"pooling": pooling, "bidirectional": both})
    short = [example for example in reviews() if "!" not in example.text]
    model = trained(task, short, epochs=80, rate=0.02)
    assert evaluated(task, model, short).metrics["accuracy"] == 1.0


def test_it_learns_several_labels_and_none(sorter):
    task, model = sorter
    report = evaluated(task, model, subjects())
    assert report.metrics["exact_match"] == report.metrics["micro_f1"] == 1.0
    assert report.metrics["macro_f1"] == 1.0
    assert report.confusion is None
    assert [score.name for score in report.scores] == ["markets", "politics", "sport"]


def test_metrics_known_by_hand(reviewer):
    task, model = reviewer
    texts = ["it is a great film", "it is a dull film", "it is a dull film", "it is a fine play"]
    examples = [
        Labelled(text, (label,))
        for text, label in zip(texts, ("good", "bad", "good", "so so"), strict=True)
    ]
    report = evaluated(task, model, examples)
    assert report.metrics["accuracy"] == 2 / 4
    assert report.confusion.classes == ("bad", "good", "so so")
    assert report.confusion.counts == ((1, 0, 0), (1, 1, 0), (0, 1, 0))
    known = evaluated(task, model, examples[:3]).metrics["loss"]
    assert report.metrics["loss"] == pytest.approx(known)  # of known classes alone


def test_every_text_counts_as_progress(reviewer):
    task, model = reviewer
    counts: list[int] = []
    evaluated(task, model, reviews(), batch_size=7, advance=counts.append)
    assert sum(counts) == len(reviews())


def test_the_loss_of_several_labels_is_per_text(sorter):
    task, model = sorter
    examples = subjects()
    with torch.no_grad():
        batch = task.collate(examples)
        probabilities = torch.sigmoid(model(batch.texts)).double()
    right = torch.where(batch.right > 0, probabilities, 1 - probabilities)
    wanted = float(-right.log().sum() / len(examples))
    assert evaluated(task, model, examples).metrics["loss"] == pytest.approx(wanted, rel=1e-5)


def test_predict_gives_label_and_probability(reviewer):
    task, model = reviewer
    lines = ["it is  a lovely film ", "", "it is not a lovely film ! !"]
    answers = list(task.predict(model, lines))
    assert [answer.text.split(" ")[0] for answer in answers] == ["good", "", "bad"]
    record = json.loads(json.dumps(answers[0].record))
    assert answers[0].text == f"good {record['probability']:.3f}"
    assert record["label"] == "good"
    assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert record["tokens"] == ["it", "is", "a", "lovely", "film"]
    assert sum(record["attention"]) == pytest.approx(1, abs=1e-5)
    apart = [answer.text for line in lines for answer in task.predict(model, [line])]
    assert [answer.text for answer in answers] == apart
    assert [answer.text for answer in task.predict(model, iter(lines))] == apart


def test_predict_gives_labels_above_the_threshold(sorter):
    task, model = sorter
    one, none, two = task.predict(
        model, ["the oil", "the rain and the rain", "the gold and the vote"]
    )
    assert [piece.split(" ")[0] for piece in one.text.split("\t")] == ["markets"]
    assert none.text == "" and none.record["labels"] == []
    assert set(two.record["labels"]) == {"markets", "politics"}
    assert set(two.record["probabilities"]) == {"markets", "politics", "sport"}
    lower = Classify(task.data, task.model, ClassifyDecoding(threshold=1e-9))
    lower.restore(task.vocabularies())
    (all_,) = lower.predict(model, ["the rain"])
    assert len(all_.record["labels"]) == 3


def test_encode_gives_what_the_class_is_read_off(reviewer):
    task, model = reviewer
    lines = ["it is a lovely film", " ", "it is not a dull play"]
    with torch.no_grad():
        vectors = torch.stack(list(task.encode(model, iter(lines))))
        logits = model.head(vectors[[0, 2]])
        wanted = model(
            task.collate([Labelled(lines[0], ("good",)), Labelled(lines[2], ("bad",))]).texts
        )
    assert vectors.shape == (3, 16)
    assert not vectors[1].any()
    torch.testing.assert_close(logits, wanted, **EXACT)


def test_texts_are_cut_at_the_length_that_is_set():
    task = task_of(max_length=3, unit="characters", lowercase=False)
    task.fit([Labelled("abCdef", ("x",)), Labelled("ab", ("y",))])
    assert task.words.symbols == ("a", "b", "C")
    assert task.size(Labelled("abCdef", ("x",))) == 3
    batch = task.collate([Labelled("ab", ("y",)), Labelled("bCaaa", ("new",))])
    assert batch.texts.symbols.tolist() == [[4, 5], [5, 6], [0, 4]]
    assert batch.texts.lengths.tolist() == [2, 3]
    assert batch.right.tolist() == [1, -1]
    assert batch.n_units == 1
    assert batch.to(torch.device("meta")).texts.symbols.device.type == "meta"


@pytest.mark.parametrize("unit", ["tokens", "words", "characters", "subwords"])
def test_vocabularies_survive_json(unit):
    task = task_of(unit=unit, n_subwords=40)
    task.fit(reviews())
    again = Classify(task.data, task.model, task.decoding)
    again.restore(json.loads(json.dumps(task.vocabularies())))
    one, other = (t.collate(reviews()) for t in (task, again))
    assert torch.equal(one.texts.symbols, other.texts.symbols)
    assert torch.equal(one.right, other.right)
    assert torch.equal(task.build().hiding, again.build().hiding)


def test_vectors_of_a_file_are_what_the_model_starts_from(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("grim 1 2 3\nnew 4 5 6\n", encoding="utf-8")
    task = task_of(model={"embedding_size": 0, "tune_vectors": False}, vectors=str(path))
    task.fit(reviews())
    model = task.build()
    rows = model.words.weight[task.words.encode(["grim", "new"])]
    assert rows.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert not model.words.weight.requires_grad


def test_rare_classes_count_for_more_when_asked():
    examples = [Labelled("a", ("x",))] * 3 + [Labelled("b", ("y",))]
    for weights, wanted in ((False, [1.0] * 4), (True, [2 / 3] * 3 + [2.0])):
        task = task_of(model={"class_weights": weights, "word_dropout": 0.0})
        task.fit(examples)
        model = task.build().eval()
        with torch.no_grad():
            found, n_units = task.loss(model, task.collate(examples))
            each = [task.loss(model, task.collate([example]))[0] for example in examples]
            logits = model(task.collate(examples).texts).log_softmax(-1)
        nats = -logits[range(4), [0, 0, 0, 1]]
        assert n_units == 4
        torch.testing.assert_close(found, (nats * torch.tensor(wanted)).sum(), **EXACT)
        torch.testing.assert_close(torch.stack(each).sum(), found, **EXACT)


def test_labels_that_are_right_count_for_more_when_they_are_rare():
    task = task_of(model={"class_weights": True}, multi_label=True)
    task.fit(
        [Labelled("a", ("x",)), Labelled("b", ()), Labelled("c", ()), Labelled("d", ("x", "y"))]
    )
    assert dict(zip(task.labels.symbols, task._weights.tolist(), strict=True)) == {"x": 1, "y": 3}


def test_training_texts_that_stay_in_their_file_are_learnt_the_same(tmp_path):
    path = tmp_path / "a.tsv"
    rows = "".join(f"{text.text}\t{text.labels[0]}\n" for text in reviews())
    path.write_text(f"text\tlabel\n{rows}", encoding="utf-8")
    models = []
    for in_memory in (True, False):
        task = task_of(train=str(path), dev=str(path), in_memory=in_memory)
        examples = task.read("train")
        assert isinstance(examples, list) is in_memory
        models.append(trained(task, examples, epochs=1))
    one, other = (model.state_dict() for model in models)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_complaints(reviewer):
    task, model = reviewer
    with pytest.raises(DataError, match=r"^there is no text to evaluate on$"):
        evaluated(task, model, [])
    with pytest.raises(DataError) as error:
        evaluated(task, model, [Labelled("a", (name,)) for name in "wxyz"])
    assert str(error.value) == (
        "the model knows no label of these texts: they hold 'w', 'x', 'y', …, "
        "the model 'bad', 'good'"
    )
    with pytest.raises(DataError) as error:
        task_of(multi_label=True).fit([Labelled("a", ())])
    assert str(error.value) == "train.tsv: no text has a label"
