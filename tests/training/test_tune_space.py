from __future__ import annotations

import json

import pytest

from cellwise.errors import ConfigError
from cellwise.training.tune_space import Choice, Range, changed, from_json, parse_varied, to_json
from tests.training.tune_search import configure

RATE, SIZE = "training.learning_rate", "model.hidden_size"
SPECS = [
    (RATE, "1e-4..1e-2", Range(RATE, 1e-4, 1e-2, log=True)),
    (RATE, "1e-3..1e-2", Range(RATE, 1e-3, 1e-2)),
    (RATE, "log:1e-3..1e-2", Range(RATE, 1e-3, 1e-2, log=True)),
    (RATE, "linear:.0001 .. 1", Range(RATE, 1e-4, 1.0)),
    (RATE, "1..2", Range(RATE, 1.0, 2.0)),
    (RATE, "0.1..1:0.2", Range(RATE, 0.1, 0.9, 0.2)),
    ("model.dropout", "0..0.9:0.3", Range("model.dropout", 0.0, 0.9, 0.3)),
    (RATE, "0.1..0.3:0.1", Range(RATE, 0.1, 0.3, 0.1)),
    (RATE, "1e-13..5e-13:1e-13", Range(RATE, 1e-13, 5e-13, 1e-13)),
    (RATE, ".1|.01", Choice(RATE, {".1": ".1", ".01": ".01"})),
    (SIZE, "64..512:64", Range(SIZE, 64, 512, 64, whole=True)),
    (SIZE, "1..100", Range(SIZE, 1, 100, log=True, whole=True)),
    (SIZE, "1e1..2e1", Range(SIZE, 10, 20, whole=True)),
    ("model.dropout", "0..0.5", Range("model.dropout", 0.0, 0.5)),
    ("model.sizes.wide", "1..9", Range("model.sizes.wide", 1, 9, whole=True)),
    (SIZE, "128|256", Choice(SIZE, {"128": 128, "256": 256})),
    ("model.cell", "lstm | gru", Choice("model.cell", {"lstm": "lstm", "gru": "gru"})),
    (
        "training.tensorboard",
        "true|false",
        Choice("training.tensorboard", {"true": True, "false": False}),
    ),
    ("model.hint", '"12"|some', Choice("model.hint", {'"12"': "12", "some": "some"})),
    ("model.hint", "|some", Choice("model.hint", {'""': "", "some": "some"})),
    ("model.layers", "[1]|[2, 3]", Choice("model.layers", {"[1]": [1], "[2, 3]": [2, 3]})),
    (SIZE, [8, 16], Choice(SIZE, {"8": 8, "16": 16})),
]


@pytest.mark.parametrize(("key", "spec", "expected"), SPECS)
def test_a_range_or_choices_are_read(key, spec, expected):
    found = parse_varied(key, spec, configure())
    assert found == expected
    if isinstance(found, Range):
        assert {type(found.low), type(found.high)} == {int if found.whole else float}
    assert from_json(json.loads(json.dumps(to_json(found)))) == found


MISTAKES = [
    ("training.learning_rat", "1..2", "unknown key 'training.learning_rat'. Did you mean"),
    ("trainin.epochs", "1..2", "unknown key 'trainin.epochs'. Did you mean 'training'?"),
    ("training", "1..2", "'training' is a table; name one of its keys, as in"),
    ("training.epochs.many", "1..2", "there is no table above 'many' in 'training.epochs.many'"),
    (RATE, "fast", "this is no range and no choice; write LOW..HIGH, LOW..HIGH:STEP, log:LOW..HIG"),
    (RATE, "2..1", "a range rises, and its step is positive and fits into it"),
    (RATE, "1..2:0", "a range rises, and its step is positive and fits into it"),
    (RATE, "1..2:5", "a range rises, and its step is positive and fits into it"),
    (RATE, "log:0..1", "'log:' takes a range of positive numbers without a step"),
    (RATE, "log:1..9:2", "'log:' takes a range of positive numbers without a step"),
    (RATE, 5, "write what it varies over as a text or a list, not 5"),
    (RATE, "0..1", "'training.learning_rate' is 0.0, but must be a value greater than 0"),
    (SIZE, "0.5..2", "'model.hidden_size' takes whole numbers"),
    (SIZE, "-4..4", "'model.hidden_size' is -4, but must be a value of at least 1"),
    (SIZE, "8|many", "'model.hidden_size' is \"many\", but must be a whole number"),
    (SIZE, "8|8", "give two or more choices, each of them once"),
    (SIZE, [8], "give two or more choices, each of them once"),
    ("training.optimizer", "1..2", "'training.optimizer' is no number; give choices instead"),
    ("training.tensorboard", "0..1", "'training.tensorboard' is no number; give choices instead"),
    ("training.optimizer", "adam|adan", "'training.optimizer' is \"adan\", but must be one of"),
    ("model.cell", "lstm|lsmt", "'lsmt' is no cell of the zoo, and there is no file"),
]


@pytest.mark.parametrize(("key", "spec", "message"), MISTAKES)
def test_a_mistake_names_the_option_and_what_is_right(key, spec, message):
    with pytest.raises(ConfigError) as caught:
        parse_varied(key, spec, configure())
    assert str(caught.value).startswith(
        f"--vary {key}={json.dumps(spec).strip(chr(34))}: {message}"
    )


def test_a_cell_in_a_file_is_read_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("h[t] = tanh(W @ x[t] + U @ h[t-1])\n")
    found = parse_varied("model.cell", "lstm|mine.txt", configure())
    assert isinstance(found, Choice)
    assert found.setting("mine.txt") == "h[t] = tanh(W @ x[t] + U @ h[t-1])\n"
    listed = parse_varied("model.cell", ["lstm", "mine.txt"], configure())
    assert listed == found


def test_a_grid_has_every_value_of_what_can_be_counted():
    assert Range(SIZE, 4, 12, 4, whole=True).grid() == [4, 8, 12]
    assert Range(SIZE, 4, 6, whole=True).grid() == [4, 5, 6]
    assert Range(RATE, 0.1, 0.3, 0.1).grid() == [0.1, 0.2, 0.3]
    assert Choice(SIZE, {"8": 8, "16": 16}).grid() == ["8", "16"]
    for endless in (Range(RATE, 0.1, 0.3), Range(SIZE, 1, 100, log=True, whole=True)):
        with pytest.raises(ConfigError) as caught:
            endless.grid()
        assert str(caught.value) == (
            f"a grid needs a step or choices for '{endless.key}': write LOW..HIGH:STEP or A|B|C"
        )


def test_changed_leaves_the_rest_and_the_original_alone():
    before = configure()
    after = changed(before, {"model.sizes.wide": 5, RATE: 0.5})
    assert after.model.model_dump()["sizes"] == {"wide": 5}
    assert after.training.learning_rate == 0.5
    assert after.training.epochs == before.training.epochs == 3
    assert before.model.model_dump()["sizes"] == {}
