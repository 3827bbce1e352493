from __future__ import annotations

import pytest

from cellwise.errors import ConfigError
from cellwise.tasks import TASKS
from cellwise.training.config import load_config, parse_config, parse_overrides, places_of
from cellwise.training.sources import recipe_names

BASE = 'task = "toy"\n'


def parse(text, tmp_path, *overrides):
    return parse_config(text, tmp_path, source="my.toml", overrides=overrides)


def test_defaults_fill_what_is_not_said(tmp_path):
    config = parse(BASE, tmp_path)
    assert config.task == "toy"
    assert config.training.batch_size == 64
    assert config.model.model_dump()["hidden_size"] == 8


def test_overrides_are_toml_or_else_text(tmp_path):
    assert parse_overrides(["a.b=3", "a.c=x.txt", "d.e=[1, 2]", "a.f.g=true", 'a.h="3"']) == {
        "a": {"b": 3, "c": "x.txt", "f": {"g": True}, "h": "3"},
        "d": {"e": [1, 2]},
    }
    assert parse(BASE, tmp_path, "training.epochs=3", "training.schedule=linear").training == (
        parse(BASE + '[training]\nepochs = 3\nschedule = "linear"\n', tmp_path).training
    )


def test_a_value_with_line_breaks_stays_one_value():
    assert parse_overrides(["model.cell=1\nseed = 2"]) == {"model": {"cell": "1\nseed = 2"}}


MESSAGES = [
    (
        "[training]\nepochz = 3",
        "my.toml: unknown key 'training.epochz'. Did you mean 'epochs'?",
    ),
    (
        "[trainig]\nepochs = 3",
        "my.toml: unknown key 'trainig'. Did you mean 'training'?",
    ),
    (
        "[decoding]\nqqq = 3",
        "my.toml: unknown key 'decoding.qqq'. Accepted are: shout.",
    ),
    (
        "[training]\nepochs = 'many'",
        "my.toml: 'training.epochs' is \"many\", but must be a whole number",
    ),
    (
        "[training]\nepochs = 1.5",
        "my.toml: 'training.epochs' is 1.5, but must be a whole number",
    ),
    (
        "[training]\nepochs = 0",
        "my.toml: 'training.epochs' is 0, but must be a value of at least 1",
    ),
    (
        "[training]\nlearning_rate = -1.0",
        "my.toml: 'training.learning_rate' is -1.0, but must be a value greater than 0.0",
    ),
    (
        "[training]\nepochs = true\nlearning_rate = false",
        "my.toml: 'training.epochs' is true, but must be a whole number\n"
        "my.toml: 'training.learning_rate' is false, but must be a number",
    ),
    (
        "[training]\nlearning_rate = nan",
        "my.toml: 'training.learning_rate' is nan, but must be a finite number",
    ),
    (
        "[training]\noptimizer = 'adm'",
        "my.toml: 'training.optimizer' is \"adm\", but must be one of "
        "'adam', 'adamw', 'adagrad' or 'sgd'",
    ),
    (
        "[training]\ntensorboard = 'perhaps'",
        "my.toml: 'training.tensorboard' is \"perhaps\", but must be true or false",
    ),
    (
        "[model]\ncell = 7",
        "my.toml: 'model.cell' is 7, but must be a text in quotes",
    ),
    (
        "model = 3",
        "my.toml: 'model' must be a table: write [model] and its keys below",
    ),
    (
        "[training]\nepochs = 0\nbatch_size = 0",
        "my.toml: 'training.epochs' is 0, but must be a value of at least 1\n"
        "my.toml: 'training.batch_size' is 0, but must be a value of at least 1",
    ),
    (
        "[training]\ndevice = 'gpu'",
        "my.toml: 'training.device' is \"gpu\", but must be a text like "
        '"auto", "cpu", "cuda", "cuda:1", "mps", "xpu"',
    ),
    (
        "[training",
        "my.toml: not valid TOML: Expected ']' at the end of a table declaration "
        "(at end of document)",
    ),
]


@pytest.mark.parametrize(("text", "message"), MESSAGES)
def test_a_mistake_gets_a_plain_message(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        parse(BASE + text, tmp_path)
    assert str(caught.value) == message


def test_an_unknown_task_gets_the_nearest_name(tmp_path):
    with pytest.raises(ConfigError) as caught:
        parse('task = "transdoce"', tmp_path)
    assert str(caught.value) == "my.toml: unknown task 'transdoce'. Did you mean 'transduce'?"


def test_a_missing_task_is_said(tmp_path):
    with pytest.raises(ConfigError) as caught:
        parse("", tmp_path)
    names = ", ".join(TASKS)
    assert str(caught.value) == (
        f"my.toml: 'task' is missing; write task = \"…\" first. Tasks: {names}."
    )


@pytest.mark.parametrize("override", ["epochs=3", "training.epochs", "training..epochs=3", "=3"])
def test_a_malformed_override_is_explained(override):
    with pytest.raises(ConfigError) as caught:
        parse_overrides([override])
    assert str(caught.value) == (
        f"--set {override}: write section.key=value, as in --set training.epochs=5"
    )


def test_data_paths_start_at_the_file_and_overrides_at_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    file = tmp_path / "configs" / "my.toml"
    file.write_text(BASE + '[data]\ntrain = "words.txt"\n')
    monkeypatch.chdir(tmp_path)
    data = load_config(file).data.model_dump()
    assert data["train"] == str(tmp_path / "configs" / "words.txt")
    data = load_config(file, ["data.train=other.txt"]).data.model_dump()
    assert data["train"] == str(tmp_path / "other.txt")


def test_a_missing_file_and_an_unknown_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_config("nowhere.toml")
    assert str(caught.value) == "there is no file nowhere.toml"
    with pytest.raises(ConfigError) as caught:
        load_config("pronunce")
    assert str(caught.value) == (
        "no configuration file and no recipe is called 'pronunce'. Did you mean 'pronounce'?"
    )


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_accepted(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config(name).task in TASKS


def test_a_wrong_override_is_blamed_on_itself(tmp_path):
    with pytest.raises(ConfigError) as caught:
        parse(BASE + "[training]\nbatch_size = 0", tmp_path, "training.epochs=abc")
    assert str(caught.value) == (
        "--set training.epochs=abc: 'training.epochs' is \"abc\", but must be a whole number\n"
        "my.toml: 'training.batch_size' is 0, but must be a value of at least 1"
    )


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("training.epochs", ["training", "epochs"]),
        ('data.classes."comp.graphics"', ["data", "classes", "comp.graphics"]),
        ("data.classes.größe.'a.b'", ["data", "classes", "größe", "a.b"]),
        ("data.classes.Some Label", ["data", "classes", "Some Label"]),
        ("a..b", ["a", "", "b"]),
        (".a", ["", "a"]),
        ("a.", ["a", ""]),
    ],
)
def test_the_places_of_a_key(key, places):
    assert places_of(key) == places


def test_a_name_between_quotes_may_hold_any_sign():
    found = load_config("classify", ["data.classes.'a=b.c'=x"])
    assert found.data.model_dump()["classes"] == {"a=b.c": "x"}


@pytest.mark.parametrize("text", [".5", "5e-1", "0.5"])
def test_numbers_may_be_written_as_people_do(text):
    assert load_config("classify", [f"training.learning_rate={text}"]).training.learning_rate == 0.5


def test_a_dot_between_quotes_belongs_to_a_name():
    found = load_config("classify", ['data.classes."comp.graphics"=computers'])
    assert found.data.model_dump()["classes"] == {"comp.graphics": "computers"}
    with pytest.raises(ConfigError) as caught:
        load_config("classify", ["data.classes.comp.graphics=computers"])
    assert str(caught.value) == (
        "--set data.classes.comp.graphics=computers: 'data.classes.comp' is a table, but must be a "
        'text in quotes. A name with a dot in it stands in quotes: data.classes."comp.…"'
    )
    with pytest.raises(ConfigError, match=r"^--set data.train.x=3: 'data.train' is a table"):
        load_config("classify", ["data.train.x=3"])


def test_quotes_without_an_equals_sign_are_told_at_once():
    with pytest.raises(ConfigError):
        parse_overrides(["data.x" + '""' * 500])


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("data.classes.don't=can't", "don't", "can't"),
        ('data.classes.a"b=c"d', 'a"b', 'c"d'),
        ('data.classes."a=b"=x', "a=b", "x"),
        ("data.classes.'a.b' = x", "a.b", "x"),
    ],
)
def test_quotes_are_of_names_only_where_they_stand_around_them(text, key, value):
    assert parse_overrides([text])["data"]["classes"] == {key: value}


def test_a_value_of_several_kinds_has_one_complaint():
    with pytest.raises(ConfigError) as caught:
        load_config("classify", ["data.text_column=0"])
    assert str(caught.value) == (
        "--set data.text_column=0: 'data.text_column' is 0, but must be a value of at least 1 or "
        "a text in quotes or a list"
    )


def test_a_configuration_may_begin_with_a_mark_of_utf8_and_is_nothing_else(tmp_path):
    file, text = tmp_path / "my.toml", 'task = "transduce"'
    for encoding in ("utf-8-sig", "utf-8"):
        file.write_text(text, encoding=encoding)
        assert load_config(file).task == "transduce"
    file.write_text(text, encoding="utf-16")
    with pytest.raises(ConfigError, match=r"my\.toml is UTF-16; save it as UTF-8$"):
        load_config(file)
    file.write_bytes(b"# caf\xe9")
    with pytest.raises(ConfigError, match=r"my\.toml is not UTF-8; save it as UTF-8$"):
        load_config(file)
