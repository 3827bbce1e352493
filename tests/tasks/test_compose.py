import json
import math

import pytest
import torch

from cellwise.brackets import Tree, parse
from cellwise.errors import ConfigError, DataError
from cellwise.explain.tree_colours import POSITIVE, colour
from cellwise.tasks import TASKS
from cellwise.tasks.compose import Compose
from cellwise.tasks.compose_answers import TreeAnswer
from cellwise.tasks.compose_config import ComposeData, ComposeDecoding, ComposeModel
from tests.tasks import treebank
from tests.tasks.training_steps import trained

BINARY = """
h[leaf] = x[leaf]
h[n] = tanh(bilinear(V, [h[left], h[right]], [h[left], h[right]]) + W @ [h[left], h[right]] + b)
"""
SUMS = "h[n] = tanh(U @ x[n] + sum(W @ h[k] for k in n) + b)"
NEW = "(3 (2 not) (1 (1 dull) (2 play)))"


def task_of(model=None, **data):
    settings = {"hidden_size": 10, "cell": BINARY, "dropout": 0.0, **(model or {})}
    return Compose(ComposeData(**data), ComposeModel(**settings), ComposeDecoding())


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return treebank.write(tmp_path_factory.mktemp("compose") / "trees.txt")


@pytest.fixture(scope="module")
def composer(path):
    task = task_of(train=path, dev=path)
    return task, trained(task, task.read("train"), epochs=40)


def evaluated(task, model, examples, **options):
    with torch.no_grad():
        return task.evaluate(
            model, examples, **{"batch_size": 16, "advance": lambda _: None, **options}
        )


def test_it_is_registered():
    assert TASKS["compose"] is Compose


def test_it_learns_that_a_word_turns_a_phrase_round(composer):
    task, model = composer
    metrics = evaluated(task, model, task.read("train"))
    assert metrics["accuracy_root"] == metrics["accuracy_nodes"] == 1
    assert metrics["accuracy_root_binary"] == metrics["accuracy_nodes_binary"] == 1
    assert metrics["loss"] < 0.1


def test_training_smooths_and_evaluation_does_not(path):
    """A share of each class's probability is spread over all, as torch has it."""
    task = task_of(train=path, dev=path, model={"label_smoothing": 0.3})
    trees = task.read("train")
    task.fit(trees)
    model = task.build().eval()
    batch = task.collate(trees)
    with torch.no_grad():
        logits = model(batch.phrases)
        found, n_units = task.loss(model, batch)
        evaluation = evaluated(task, model, trees)["loss"]
    both = [
        torch.nn.functional.cross_entropy(logits, batch.classes, label_smoothing=share)
        for share in (0.3, 0.0)
    ]
    torch.testing.assert_close(found / n_units, both[0])
    assert evaluation == pytest.approx(float(both[1]), rel=1e-5)
    assert abs(float(both[0] - both[1])) > 1e-4


def test_word_vectors_that_a_cell_cannot_take_are_refused_with_their_keys(path):
    task = task_of(train=path, dev=path, model={"cell": "recursive", "embedding_size": 5})
    task.fit(task.read("train"))
    with pytest.raises(ConfigError) as caught:
        task.build()
    assert str(caught.value) == (
        "model.cell does not go together with word vectors of 5 numbers and model.hidden_size = "
        "10: input_size=5, but the equations make it 10. A cell that takes a word's vector for a "
        "state needs model.hidden_size = 5"
    )


def test_encode_gives_the_vector_at_the_root(composer):
    task, model = composer
    lines = ["a lovely film", "", NEW]
    with torch.no_grad():
        vectors = torch.stack(list(task.encode(model, lines)))
        logits = model.head(vectors[[0, 2]]).softmax(-1)
    assert vectors.shape == (3, 10)
    assert not vectors[1].any()
    answers = [answer for answer in task.predict(model, lines) if answer.text]
    for row, answer in zip(logits.tolist(), answers, strict=True):
        assert answer.record["probabilities"] == pytest.approx(
            dict(zip(task.classes.symbols, row, strict=True)), abs=1e-5
        )


def test_every_tree_counts_as_progress(composer):
    task, model = composer
    counts: list[int] = []
    evaluated(task, model, task.read("train"), batch_size=7, advance=counts.append)
    assert sum(counts) == 48


def test_accuracies_known_by_hand(composer, tmp_path):
    task, model = composer
    file = tmp_path / "wrong.txt"
    file.write_text("(1 (2 not) (1 (1 dull) (2 play)))\n(9 (2 a) (3 (3 fine) (2 film)))\n")
    metrics = evaluated(task, model, task.read_file(file))
    assert metrics["accuracy_root"] == 0
    assert metrics["accuracy_nodes"] == 8 / 10
    assert metrics["accuracy_root_binary"] == 0
    assert metrics["accuracy_nodes_binary"] == 4 / 5


def test_predict_reads_trees_and_sentences(composer):
    task, model = composer
    lines = [NEW, "", "a  fine play"]
    answers = list(task.predict(model, lines))
    assert [a.text for a in answers] == [NEW, "", "(3 (2 a) (3 (3 fine) (2 play)))"]
    assert all(isinstance(answer, TreeAnswer) for answer in answers)
    assert [answer.given for answer in answers] == [True, True, False]
    apart = [answer for line in lines for answer in task.predict(model, [line])]
    assert [a.text for a in answers] == [a.text for a in apart]
    assert [a.text for a in task.predict(model, iter(lines))] == [a.text for a in apart]


def test_trees_before_a_bad_line_are_answered(composer):
    task, model = composer
    found = task.predict(model, ["it is", "", "(_ (_ a)", "ok"])
    assert next(found).record.keys() == next(found).record.keys()
    with pytest.raises(DataError, match=r"^input 3, column 1: "):
        next(found)
    with torch.no_grad():
        vectors = task.encode(model, ["it is", "", "(_ (_ a)", "ok"])
        assert next(vectors).any() and not next(vectors).any()
        with pytest.raises(DataError, match=r"^input 3, column 1: "):
            next(vectors)


def test_the_record_holds_what_programs_want_to_know(composer):
    task, model = composer
    (answer,) = task.predict(model, ["a fine play"])
    record = json.loads(json.dumps(answer.record))
    assert record["words"] == ["a", "fine", "play"]
    assert record["structure"] == "right-branching"
    assert (record["label"], record["polarity"]) == ("3", "positive")
    assert record["tree"] == answer.text
    assert set(record["probabilities"]) == {"1", "2", "3"}
    assert math.isclose(sum(record["probabilities"].values()), 1, abs_tol=1e-5)
    places = [(p["first"], p["last"], p["label"]) for p in record["phrases"]]
    assert places == [(0, 2, "3"), (0, 0, "2"), (1, 2, "3"), (1, 1, "3"), (2, 2, "2")]


def test_a_model_of_roots_says_nothing_of_other_nodes(path):
    task = task_of(train=path, dev=path, labels="root")
    model = trained(task, task.read("train"), epochs=2)
    assert task.classes.symbols == ("1", "3")
    metrics = evaluated(task, model, task.read("train"))
    assert set(metrics) == {"loss", "accuracy_root", "accuracy_root_binary"}
    (answer,) = task.predict(model, ["a fine play"])
    assert len(answer.record["phrases"]) == 1
    assert answer.text.count("(_ ") == 4


def test_cells_over_sets_of_children_take_trees_of_any_width(tmp_path):
    file = tmp_path / "trees.txt"
    file.write_text("(S (A a) (B b) (C (D c)))\n(T (A a))\n" * 4)
    task = task_of({"cell": SUMS}, train=str(file), dev=str(file))
    model = trained(task, task.read("train"), epochs=30)
    assert evaluated(task, model, task.read("train"))["accuracy_nodes"] == 1
    (answer,) = task.predict(model, ["(X (X a) (X b) (X (X c)))"])
    assert answer.text == "(S (A a) (B b) (C (D c)))"
    assert "polarity" not in answer.record


def test_wide_trees_are_made_binary_and_come_back_wide(tmp_path):
    file = tmp_path / "trees.txt"
    file.write_text("(S (A a) (B b) (C (D c)))\n(T (A a) (B b))\n" * 4)
    task = task_of(train=str(file), dev=str(file))
    model = trained(task, task.read("train"), epochs=30)
    assert set(task.classes.symbols) == {"S", "T", "A", "B", "C+D"}
    (answer,) = task.predict(model, ["(X (X a) (X b) (X (X c)))"])
    assert answer.text == "(S (A a) (B b) (C (D c)))"
    assert [p["label"] for p in answer.record["phrases"]] == ["S", "A", "B", "C+D"]


def test_a_batch_holds_a_forest_words_and_classes(path):
    task = task_of(train=path, dev=path)
    task.fit(task.read("train"))
    trees = list(parse(["(3 (2 A) (7 zebra))", "(2 film)"]))
    batch = task.collate(trees)
    numbers = dict(zip(task.classes.symbols, range(3), strict=True))
    assert batch.classes.tolist() == [numbers["3"], numbers["2"], -2, numbers["2"]]
    assert batch.n_units == 3
    assert batch.phrases.forest.n_trees == 2
    assert batch.phrases.words.tolist() == task.words.encode(["a", "zebra", "film"])
    assert batch.to(torch.device("meta")).phrases.words.device.type == "meta"


def test_words_are_looked_up_in_lower_case_unless_said_otherwise(tmp_path):
    file = tmp_path / "trees.txt"
    file.write_text("(A (B The) (C the))\n")
    for lowercase, n_words in ((True, 1), (False, 2)):
        task = task_of(train=str(file), dev=str(file), lowercase=lowercase)
        task.fit(task.read("train"))
        assert len(task.words.symbols) == n_words


def test_vectors_are_read_from_a_file(path, tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_text("marvellous 1 2 3\nfine 4 5 6\nfar 7 8 9\n")
    task = task_of({"cell": SUMS}, train=path, dev=path, vectors=str(file), more_words=1)
    task.fit(task.read("train"))
    model = task.build()
    assert "marvellous" in task.words
    assert "far" not in task.words
    rows = model.words.weight[task.words.encode(["marvellous", "fine"])]
    assert rows.tolist() == [[1, 2, 3], [4, 5, 6]]
    again = task_of({"cell": SUMS}, train=path, dev=path, vectors="gone.txt")
    again.restore(json.loads(json.dumps(task.vocabularies())))
    assert again.build().words.weight.shape == model.words.weight.shape


def test_vectors_of_another_size_are_refused(path, tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_text("fine 4 5 6\n")
    task = task_of({"embedding_size": 10}, train=path, dev=path, vectors=str(file))
    with pytest.raises(DataError) as error:
        task.fit(task.read("train"))
    assert str(error.value) == (
        f"{file}: its vectors have 3 numbers, but model.embedding_size is 10; "
        "0 takes what the file has"
    )


def test_dev_is_split_off_by_the_sentence(path):
    task = task_of(train=path, dev_share=0.3)
    train, dev = task.read("train"), task.read("dev")
    assert len(train) + len(dev) == 48
    assert 5 <= len(dev) <= 25
    assert task.read("test") == []


def test_complaints(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        task_of().read("train")
    assert str(error.value) == (
        "there is no train.txt here. Say where trees are, one a line with a label at every node, "
        "such as (3 (2 It) (4 (2 's) (4 good))):\n"
        "  --set data.train=FILE --set data.dev=FILE --set data.test=FILE"
    )
    with pytest.raises(ConfigError, match="'lstm' runs over sequences"):
        task_of({"cell": "lstm"}, train=path, dev=path).read("train")
    with pytest.raises(DataError, match="there is no tree to evaluate on"):
        evaluated(task_of(), torch.nn.Linear(1, 1), [])
    unlabelled = task_of(train=path, dev=path, classes=dict.fromkeys("123", ""))
    with pytest.raises(DataError, match="no node has a label that counts"):
        unlabelled.fit(unlabelled.read("train"))


def test_labels_of_another_kind_are_refused(composer):
    task, model = composer
    with pytest.raises(DataError) as error:
        evaluated(task, model, list(parse(["(S (NP a) (VP (V b) (N c)))"])))
    assert str(error.value) == (
        "the model knows no label of these trees: they hold 'S', 'NP', 'VP', …, "
        "the model '2', '1', '3'"
    )
    with pytest.raises(DataError, match="no tree has a label at its root that counts"):
        task.check([Tree(("", "2", "1"), (None, "a", "b"), (-1, 0, 0))])


def test_a_tree_of_traces_loses_no_answer_before_it_and_is_told_with_its_place(composer, tmp_path):
    task, model = composer
    lines = ["good film", "(S (-NONE- *))", "x y"]
    for answers in (task.predict(model, lines), task.encode(model, lines)):
        assert next(answers) is not None
        with pytest.raises(DataError) as error:
            next(answers)
        assert str(error.value).startswith("input 2: the tree holds nothing but traces")
    file = tmp_path / "traces.txt"
    file.write_text("(3 (2 a) (3 b))\n(S (-NONE- *))\n")
    with pytest.raises(DataError) as error:
        task.read_file(file)
    assert str(error.value).startswith(f"{file}, tree 2: the tree holds nothing but traces")


def test_binary_accuracy_counts_poles_that_training_did_not_hold(tmp_path):
    train = tmp_path / "train.txt"
    train.write_text("(1 (2 a) (1 dull))\n(3 (2 a) (3 play))\n" * 4)
    task = task_of(train=str(train), dev=str(train))
    model = trained(task, task.read("train"), epochs=30)
    test = tmp_path / "test.txt"
    test.write_text("(1 (2 a) (1 dull))\n" + "(4 (2 a) (4 dull))\n(0 (2 a) (0 dull))\n" * 2)
    shares = evaluated(task, model, task.read_file(test))
    assert shares["accuracy_root"] == 1 / 5
    assert shares["accuracy_root_binary"] == 3 / 5


def test_classes_with_signs_are_poles_as_any_other(tmp_path):
    train = tmp_path / "train.txt"
    train.write_text("(+1 (0 It) (+1 shines))\n(-1 (0 It) (-1 bores))\n" * 4)
    task = task_of(train=str(train), dev=str(train), negative=["-1"], positive=["+1"])
    model = trained(task, task.read("train"), epochs=30)
    assert evaluated(task, model, task.read("train"))["accuracy_root_binary"] == 1
    (answer,) = task.predict(model, ["(x (x It) (x shines))"])
    assert (answer.record["label"], answer.record["polarity"]) == ("+1", "positive")
    assert colour(answer.labelled.tree.labels[0], answer.labelled.scale) == POSITIVE[0]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"classes": {"1": "very bad"}}, "data.classes: 'very bad', the class of '1', holds a bl"),
        ({"classes": {"1": "(x"}}, "data.classes: '(x', the class of '1', holds a blank or a br"),
        ({"negative": ["0", "3"]}, "data.positive: '3' is in data.negative, too"),
        ({"positive": ["1"]}, "data.positive: '1' is in data.negative, too"),
    ],
)
def test_classes_that_cannot_be_shown_and_poles_that_are_both_are_not_learnt(
    path, changes, complaint
):
    task = task_of(train=path, dev=path, **changes)
    with pytest.raises(ConfigError) as error:
        task.fit(task.read("train"))
    assert str(error.value).startswith(complaint)
