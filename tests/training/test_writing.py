from __future__ import annotations

import tomllib
from itertools import pairwise

import pytest

from cellwise.tasks import TASKS
from cellwise.training.config import load_config, parse_config
from cellwise.training.sources import recipe_names
from cellwise.training.writing import starting_config, write_config

ALL = ["toy", *dict.fromkeys([*TASKS, *recipe_names()])]


@pytest.mark.parametrize("task", ALL)
def test_a_written_configuration_reads_back_unchanged(task):
    config = starting_config(task)
    for equations in (True, False):
        text = write_config(config, equations=equations)
        assert parse_config(text, None, source="written") == config


@pytest.mark.parametrize("task", ALL)
def test_every_key_has_a_comment(task):
    lines = write_config(starting_config(task), equations=False).splitlines()
    for before, line in pairwise(lines):
        if " = " in line and not line.startswith("#"):
            assert before.startswith("# "), line


def test_one_starts_with_what_train_would_take(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for recipe in recipe_names():
        (tmp_path / "my.toml").write_text(write_config(starting_config(recipe), equations=False))
        mine, taken = load_config("my.toml"), load_config(recipe)
        assert (mine.model, mine.decoding, mine.training) == (
            taken.model,
            taken.decoding,
            taken.training,
        )
        for key, value in taken.data:  # paths in a file start where it lies
            assert getattr(mine.data, key) in (value, str(tmp_path / str(value))), key


def test_all_lines_are_short():
    for task in ALL:
        text = write_config(starting_config(task), equations=False)
        assert max(map(len, text.splitlines())) <= 100


def test_equations_stand_in_full_over_several_lines():
    text = write_config(starting_config("toy"))
    assert 'cell = """\n' in text
    assert "c[t] = " in tomllib.loads(text)["model"]["cell"]


def test_tables_lists_and_missing_values_survive(tmp_path):
    text = 'task = "toy"\n[model]\nlayers = [3, 4]\nsizes.c = 5\n'
    config = parse_config(text, tmp_path, source="it")
    written = write_config(config)
    assert "layers = [3, 4]\n" in written
    assert "# hint = (not set)\n" in written
    assert "[model.sizes]\nc = 5\n" in written
    assert parse_config(written, None, source="it") == config
    assert "sizes = {}\n" in write_config(starting_config("toy"))


def test_awkward_values_survive(tmp_path):
    cell = 'h[t] = tanh(W_h @ h[t-1] + U_h @ x[t])  # a \\ and """ quotes\n'
    text = 'task = "toy"\n[model]\nhidden_size = 3\n'
    config = parse_config(text, tmp_path, source="it", overrides=[f"model.cell={cell}"])
    again = parse_config(write_config(config), None, source="it")
    assert again == config
