from __future__ import annotations

import pytest

from cellwise import cells
from cellwise.errors import ConfigError, EquationError
from cellwise.tasks.transduce_config import TransduceData
from cellwise.training.config import load_config
from cellwise.training.sources import (
    absolute,
    cell_equations,
    cell_source,
    is_folder,
    present_defaults,
    recipe_names,
    recipe_text,
    settle,
)

TEXT = "h[t] = tanh(U @ x[t] + 0.5 * h[t-1])\n"


def test_a_zoo_name_stays_a_name_and_has_equations(tmp_path):
    assert cell_source("gru", tmp_path) == "gru"
    assert cell_equations("gru").strip() == str(cells.get("gru")).strip()


def test_saved_equations_of_a_zoo_cell_become_its_name(tmp_path):
    for name in cells.names():
        assert cell_source(cell_equations(name), tmp_path) == name


def test_a_file_is_read_from_the_folder_given(tmp_path):
    (tmp_path / "mycell.txt").write_text(TEXT)
    assert cell_source("mycell.txt", tmp_path) == TEXT
    assert cell_equations(TEXT) == TEXT


def test_equations_may_stand_in_place(tmp_path):
    assert cell_source(TEXT, tmp_path) == TEXT


def test_an_unknown_name_gets_the_nearest(tmp_path):
    with pytest.raises(ConfigError) as caught:
        cell_source("lsmt", tmp_path)
    assert str(caught.value) == (
        f"'lsmt' is no cell of the zoo, and there is no file {tmp_path / 'lsmt'}. "
        "Did you mean 'lstm'?"
    )


def test_wrong_equations_are_an_equation_error(tmp_path):
    with pytest.raises(EquationError):
        cell_source("h[t] = tanh(", tmp_path)


def test_default_data_files_count_when_they_exist(tmp_path):
    assert present_defaults(TransduceData, tmp_path) == {}
    (tmp_path / "train.tsv").write_text("a\tb\n")
    assert present_defaults(TransduceData, tmp_path) == {"train": "train.tsv"}


def test_paths_start_at_the_folder_given(tmp_path):
    table = {"train": "a.txt", "vectors": "b.txt", "dev": "", "labels": "root"}
    assert settle(table, tmp_path) == {
        **table,
        "train": str(tmp_path / "a.txt"),
        "vectors": str(tmp_path / "b.txt"),
    }


def test_recipes_are_found_by_name():
    assert "pronounce" in recipe_names()
    assert "task = " in recipe_text("pronounce")


def test_homes_and_links_that_are_not_there_are_paths_as_any_other(tmp_path):
    assert absolute("~nobody-at-all/x.tsv", tmp_path) == tmp_path / "~nobody-at-all" / "x.tsv"
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert absolute("a", tmp_path) == tmp_path / "a"
    with pytest.raises(ConfigError, match="can be no path"):
        absolute("a\0b", tmp_path)


def test_a_folder_with_the_name_of_a_recipe_is_one_only_with_a_run_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("classify", "mine"):
        (tmp_path / name).mkdir()
    assert not is_folder("classify", "config.toml")
    assert is_folder("mine", "config.toml")
    assert load_config("classify").task == "classify"
    (tmp_path / "classify" / "config.toml").touch()
    assert is_folder("classify", "config.toml")
