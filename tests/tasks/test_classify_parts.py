from pathlib import Path

import pytest

from cellwise.data.labelled import Labelled
from cellwise.data.spooled import Spooled
from cellwise.errors import DataError
from cellwise.tasks.classify_config import ClassifyData
from cellwise.tasks.classify_parts import read_all_parts, read_texts

TREES = "(3 (2 It) (4 (2 's) (4 good)))\n(1 (2 It) (0 (2 's) (0 bad)))\n(2 (2 It) (2 is))\n"
POLES = {"0": "bad", "1": "bad", "2": "", "3": "good", "4": "good"}


def rows_of(tmp_path, count):
    path = tmp_path / "rows.tsv"
    rows = "".join(f"text {number}\t{number % 2}\n" for number in range(count))
    path.write_text(f"text\tlabel\n{rows}", encoding="utf-8")
    return str(path)


def test_shares_of_train_are_dev_and_test_and_never_meet(tmp_path):
    data = ClassifyData(train=rows_of(tmp_path, 400), dev_share=0.1, test_share=0.3)
    parts = read_all_parts(data)
    texts = {part: {example.text for example in examples} for part, examples in parts.items()}
    assert set.union(*texts.values()) == {f"text {number}" for number in range(400)}
    assert sum(map(len, texts.values())) == 400
    assert 20 <= len(texts["dev"]) <= 60
    assert 90 <= len(texts["test"]) <= 150
    again = read_all_parts(data.model_copy(update={"test_share": 0.0}))
    assert again["test"] == []
    assert again["dev"] == parts["dev"]


def test_files_that_are_named_are_read_whole(tmp_path):
    path = rows_of(tmp_path, 10)
    parts = read_all_parts(ClassifyData(train=path, dev=path, test=path, test_share=0.5))
    assert [len(examples) for examples in parts.values()] == [10, 10, 10]


@pytest.fixture
def trees(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text(TREES, encoding="utf-8")
    return str(path)


def test_training_holds_each_phrase_of_trees_once_and_dev_whole_sentences(trees):
    data = ClassifyData(format="trees", train=trees, dev=trees, phrases=True, classes=POLES)
    parts = read_all_parts(data)
    assert parts["train"] == [
        Labelled("It 's good", ("good",)),
        Labelled("'s good", ("good",)),
        Labelled("good", ("good",)),
        Labelled("It 's bad", ("bad",)),
        Labelled("'s bad", ("bad",)),
        Labelled("bad", ("bad",)),
    ]
    assert parts["dev"] == [Labelled("It 's good", ("good",)), Labelled("It 's bad", ("bad",))]
    assert read_texts(Path(trees), data) == parts["dev"]


def test_without_phrases_training_holds_whole_sentences(trees):
    data = ClassifyData(format="trees", train=trees, dev=trees, classes=POLES)
    assert read_all_parts(data)["train"] == read_all_parts(data)["dev"]


def test_classes_may_rename_join_and_leave_out(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("text\tlabel\na\tx,y,z\nb\tz\n", encoding="utf-8")
    data = ClassifyData(multi_label=True, classes={"x": "one", "y": "one", "z": ""})
    assert read_texts(path, data) == [Labelled("a", ("one",)), Labelled("b", ())]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"classes": {"0": ""}},
        {"dev_share": 0.2, "dev": ""},
        {"test_share": 0.3, "test": ""},
        {"test_share": 0.3, "test": "", "dev": "", "dev_share": 0.2},
    ],
)
def test_training_texts_may_lie_outside_memory(tmp_path, more):
    path = rows_of(tmp_path, 60)
    data = ClassifyData(**{"train": path, "dev": path, "test": path, **more})
    parts = read_all_parts(data.model_copy(update={"in_memory": False}))
    assert {part: list(found) for part, found in parts.items()} == dict(read_all_parts(data))
    assert isinstance(parts["train"], Spooled)


def test_phrases_may_lie_outside_memory(trees):
    data = ClassifyData(format="trees", train=trees, dev=trees, phrases=True, classes=POLES)
    spooled = read_all_parts(data.model_copy(update={"in_memory": False}))["train"]
    assert list(spooled) == read_all_parts(data)["train"]


def test_complaints(tmp_path):
    path = rows_of(tmp_path, 3)
    cases = {
        f"{path}: data.classes leaves every text out": {"classes": {"0": "", "1": ""}, "dev": path},
        f"{path}: too few texts to split off data.dev_share = 0.001 of them; "
        "name a file as data.dev": {"dev_share": 0.001},
        f"{path}: too few texts to split off data.test_share = 0.001 of them; "
        "name a file as data.test": {"dev": path, "test_share": 0.001},
    }
    for message, settings in cases.items():
        with pytest.raises(DataError) as error:
            dict(read_all_parts(ClassifyData(train=path, **settings)))
        assert str(error.value) == message


def test_who_names_no_data_is_told_what_data_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        read_all_parts(ClassifyData())["train"]
    assert str(error.value) == (
        "there is no train.tsv here. Say where labelled texts are: columns separated by tabs, "
        "whose names 'text' and 'label' stand in the first line, or another data.format:\n"
        "  --set data.train=FILE --set data.dev=FILE --set data.test=FILE"
    )


def test_a_text_that_comes_twice_counts_twice(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("text\tlabel\n" + "good\tyes\n" * 3 + "good\tno\n")
    for in_memory in (True, False):
        parts = read_all_parts(ClassifyData(train=str(path), dev=str(path), in_memory=in_memory))
        assert [text.labels[0] for text in parts["train"]] == ["yes"] * 3 + ["no"]


def test_a_class_may_be_left_out_by_files_that_hold_no_other(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.tsv").write_text(f"text\tlabel\nword\t{name}\n")
    path = str(tmp_path / "[abc].tsv")
    parts = read_all_parts(ClassifyData(train=path, dev=path, classes={"c": ""}))
    assert [text.labels[0] for text in parts["train"]] == ["a", "b"]
