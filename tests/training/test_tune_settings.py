from __future__ import annotations

import pytest

from cellwise.errors import ConfigError
from cellwise.training.config import load_config
from cellwise.training.tune_settings import load_settings

TABLE = """
task = "toy"
[tune]
trials = 7
sampler = "random"
[tune.vary]
training.learning_rate = "1e-4..1"
"model.cell" = ["lstm", "gru"]
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(TABLE)
    return path


def test_a_table_is_read_and_the_command_line_goes_before_it(path):
    settings = load_settings(str(path), {"trials": 3, "vary": {"model.cell": "gru|elman"}})
    assert (settings.trials, settings.sampler, settings.keep) == (3, "random", 1)
    assert settings.vary == {"training.learning_rate": "1e-4..1", "model.cell": "gru|elman"}


def test_training_does_not_mind_the_table(path):
    assert load_config(path).task == "toy"


def test_a_recipe_has_defaults():
    assert load_settings("tag", {}).model_dump() == {
        "trials": 0,
        "minutes": 0.0,
        "sampler": "tpe",
        "pruner": "median",
        "keep": 1,
        "vary": {},
    }


MISTAKES = [
    ("[tune]\ntrial = 3\n", {}, "my.toml: unknown key 'tune.trial'. Did you mean 'trials'?"),
    ("tune = 3\n", {}, "my.toml: 'tune' must be a table: write [tune] and its keys below"),
    ("[tune]\nvary = 3\n", {}, "my.toml: 'tune.vary' is 3, but must be a table"),
    ("", {"keep": -1}, "--keep -1: 'tune.keep' is -1, but must be a value of at least 0"),
    (
        "",
        {"sampler": "gird"},
        "--sampler gird: 'tune.sampler' is \"gird\", but must be one of 'tpe', 'random' or 'grid'",
    ),
    (
        "",
        {"pruner": "all"},
        "--pruner all: 'tune.pruner' is \"all\", but must be one of 'median' or 'none'",
    ),
]


@pytest.mark.parametrize(("text", "changes", "message"), MISTAKES)
def test_a_mistake_is_told_with_its_place(text, changes, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text(text)
    said = {f"tune.{key}": f"--{key} {value}" for key, value in changes.items()}
    with pytest.raises(ConfigError) as caught:
        load_settings("my.toml", changes, said)
    assert str(caught.value) == message


def test_what_is_no_file_and_no_toml_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text("a = = 3")
    said = {
        "none.toml": "there is no file none.toml",
        "tga": "no configuration file and no recipe is called 'tga'. Did you mean 'tag'?",
        "bad.toml": "bad.toml: not valid TOML: Invalid value (at line 1, column 5)",
    }
    for where, message in said.items():
        with pytest.raises(ConfigError) as caught:
            load_settings(where, {})
        assert str(caught.value) == message
