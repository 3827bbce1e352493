import itertools
import json

import pytest
import torch
from pydantic import ValidationError

from cellwise.errors import DataError
from cellwise.tasks import TASKS
from cellwise.tasks.pairs import Pair
from cellwise.tasks.transduce import Transduce
from cellwise.tasks.transduce_config import TransduceData, TransduceDecoding, TransduceModel
from tests.tasks.training_steps import trained
from tests.tolerances import TOLERANCE

SMALL = {"embedding_size": 12, "hidden_size": 24, "dropout": 0.0}


def task_of(data=None, model=None, decoding=None):
    return Transduce(
        TransduceData(**(data or {})),
        TransduceModel(**{**SMALL, **(model or {})}),
        TransduceDecoding(**(decoding or {})),
    )


def fitted(data, model=None, decoding=None):
    task = task_of(data, model, decoding)
    task.fit(task.read("train"))
    return task


def file_of(tmp_path, lines, name="pairs.tsv"):
    path = tmp_path / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def reversals(tmp_path):
    words = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
    return file_of(tmp_path, [f"{word}\t{word[::-1]}" for word in words])


@pytest.fixture(scope="module")
def reverser(tmp_path_factory):
    path = reversals(tmp_path_factory.mktemp("reverse"))
    task = task_of({"train": str(path), "dev": str(path), "target_unit": "characters"})
    return task, trained(task, task.read("train"), epochs=60)


def test_it_is_registered():
    assert TASKS["transduce"] is Transduce


def test_it_learns_to_reverse(reverser):
    task, model = reverser
    with torch.no_grad():
        metrics = task.evaluate(model, task.read("dev"), batch_size=16, advance=lambda _: None)
    assert metrics["token_error_rate"] == 0
    assert metrics["sequence_error_rate"] == 0
    assert metrics["loss"] < 0.1
    assert [answer.text for answer in task.predict(model, ["abc", "dda"])] == ["cba", "add"]


def test_every_example_counts_as_progress(reverser):
    task, model = reverser
    counts: list[int] = []
    with torch.no_grad():
        examples = [*task.read("train"), *task.read("train")]
        task.evaluate(model, examples, batch_size=7, advance=counts.append)
    assert sum(counts) == len(examples)


def test_batches_answer_as_single_lines_do(reverser):
    task, model = reverser
    lines = ["abc", "", "dddddd", "a", "xyz", "  ", "bd"]
    together = list(task.predict(model, lines))
    apart = [answer for line in lines for answer in task.predict(model, [line])]
    streamed = list(task.predict(model, iter(lines)))
    texts = [answer.text for answer in together]
    assert texts == [a.text for a in apart] == [a.text for a in streamed]
    for line, one, other in zip(lines, together, apart, strict=True):
        if not line.strip():
            assert one.record == other.record and one.record["log_probability"] is None
            continue
        found = torch.tensor([one.record["log_probability"], other.record["log_probability"]])
        torch.testing.assert_close(found[0], found[1], **TOLERANCE[torch.float32]["exact"])


def test_a_stream_is_answered_line_by_line(reverser):
    task, model = reverser
    read = []

    def stream():
        for line in ("abc", "bcd"):
            read.append(line)
            yield line

    answers = task.predict(model, stream())
    assert next(answers).text == "cba"
    assert read == ["abc"]


def test_an_answer_has_a_record_of_json_values(reverser):
    task, model = reverser
    answer = next(task.predict(model, [" abc "]))
    record = json.loads(json.dumps(answer.record))
    assert record.pop("log_probability") < 0
    assert record == {"source": "abc", "output": "cba", "symbols": ["c", "b", "a"]}
    empty = next(task.predict(model, [""]))
    assert empty.text == ""
    assert empty.record["symbols"] == []


def test_a_beam_finds_nothing_worse_than_greedy_search(tmp_path):
    task = task_of({"train": str(reversals(tmp_path)), "target_unit": "characters"})
    model = trained(task, task.read("train"), epochs=4)
    lines = ["".join(letters) for letters in itertools.product("abcd", repeat=4)][::5]

    def scores(beam_size):
        task.decoding = TransduceDecoding(beam_size=beam_size, length_penalty=0.0)
        found = [answer.record["log_probability"] for answer in task.predict(model, lines)]
        return torch.tensor(found)

    greedy, wide = scores(1), scores(8)
    assert (wide >= greedy - TOLERANCE[torch.float32]["exact"]["atol"]).all()
    assert (wide > greedy).any()


def test_sources_with_several_targets_train_on_each_and_are_tested_once(tmp_path):
    path = file_of(tmp_path, ["Ab\tx y", "c\tz", "ab\ty", "Ab\tx y"])
    task = task_of({"train": str(path), "dev": str(path), "lowercase": True})
    assert task.read("train") == [
        Pair("ab", ("x y",)),
        Pair("c", ("z",)),
        Pair("ab", ("y",)),
        Pair("ab", ("x y",)),
    ]
    assert task.read("dev") == [Pair("ab", ("x y", "y")), Pair("c", ("z",))]
    assert task.read_file(path) == task.read("dev")
    assert task.read("test") == []


def test_a_batch_holds_both_sides_time_first(tmp_path):
    path = file_of(tmp_path, ["ab\tx y", "a\tx"])
    task = task_of({"train": str(path), "dev": str(path)})
    train = task.read("train")
    task.fit(train)
    batch = task.collate(train)
    assert batch.source.tolist() == [[4, 4], [5, 0]]
    assert batch.lengths.tolist() == [2, 1]
    assert batch.before.tolist() == [[2, 2], [4, 4], [5, 0]]
    assert batch.after.tolist() == [[4, 4], [5, 3], [3, 0]]
    assert batch.target_lengths.tolist() == [3, 2]
    assert batch.n_units == 5
    moved = batch.to(torch.device("meta"))
    assert moved.after.device.type == "meta"


def test_what_stands_in_the_padding_does_not_change_the_loss(tmp_path):
    path = file_of(tmp_path, ["ab\tx y", "a\tx"])
    task = task_of({"train": str(path), "dev": str(path)})
    train = task.read("train")
    task.fit(train)
    model, batch = task.build(), task.collate(train)
    loss, n_units = task.loss(model, batch)
    batch.source[1, 1], batch.before[2, 1] = 4, 5
    assert task.loss(model, batch) == (loss, n_units)


def test_units_are_words_or_characters(tmp_path):
    path = str(file_of(tmp_path, ["the  dog\tle chien"]))
    words = fitted({"train": path, "dev": path, "source_unit": "words"})
    assert words.cut_source("the dog") == ("the", "dog")
    assert words.cut_target("le chien") == ("le", "chien")
    assert words.read("dev") == [Pair("the dog", ("le chien",))]
    letters = fitted({"train": path, "dev": path, "target_unit": "characters"})
    assert letters.cut_source("the  dog") == tuple("the  dog")
    assert letters.cut_target("le chien") == tuple("le chien")


def test_dev_is_split_off_by_the_source(tmp_path):
    lines = [f"word{i}\t{target}" for i in range(300) for target in "xy"]
    path = file_of(tmp_path, lines)
    task = task_of({"train": str(path), "dev_share": 0.1})
    train, dev = task.read("train"), task.read("dev")
    assert len(train) + 2 * len(dev) == 600
    assert not {pair.source for pair in train} & {pair.source for pair in dev}
    assert 10 <= len(dev) <= 60


def test_long_pairs_are_left_out_of_training_only(tmp_path):
    path = file_of(tmp_path, ["abc\tx", "a\tx"])
    task = task_of({"train": str(path), "dev": str(path), "max_length": 2})
    assert [pair.source for pair in task.read("train")] == ["a"]
    assert len(task.read("dev")) == 2


def test_vocabularies_survive_json(tmp_path):
    path = str(reversals(tmp_path))
    task, again = task_of({"train": path}), task_of({"train": path})
    task.fit(task.read("train"))
    again.restore(json.loads(json.dumps(task.vocabularies())))
    one, other = (t.collate(t.read("train")) for t in (task, again))
    assert torch.equal(one.source, other.source)
    assert torch.equal(one.after, other.after)


def test_complaints(tmp_path):
    path = str(file_of(tmp_path, ["abc\tx"]))
    with pytest.raises(DataError) as error:
        task_of({"train": path, "dev": path, "max_length": 2}).read("train")
    assert str(error.value) == "every training pair is longer than data.max_length = 2 symbols"
    with pytest.raises(DataError) as error:
        task_of({"train": path}).read("train")
    assert str(error.value) == (
        f"{path}: too few sources to split off data.dev_share = 0.05 of them; "
        "name a file as data.dev"
    )
    task = task_of({"train": path, "dev": path})
    with pytest.raises(DataError) as error:
        task.evaluate(torch.nn.Linear(1, 1), [], batch_size=1, advance=lambda _: None)
    assert str(error.value) == "there is no pair to evaluate on"


@pytest.mark.parametrize("beam_size", [1, 5])
def test_a_broken_model_gives_strict_json(tmp_path, beam_size):
    path = str(reversals(tmp_path))
    data = {"train": path, "dev": path, "target_unit": "characters"}
    task = task_of(data, decoding={"beam_size": beam_size})
    task.fit(task.read("train"))
    model = task.build().eval()
    torch.nn.init.constant_(next(model.head.parameters()), torch.nan)
    for answer in task.predict(model, ["abc", "d"]):
        assert answer.text == ""
        assert json.loads(json.dumps(answer.record, allow_nan=False))["log_probability"] is None


@pytest.mark.parametrize("name", ["length_penalty", "max_length_ratio"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e300, -1.0])
def test_numbers_that_make_no_sense_are_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        TransduceDecoding(**{name: value})
