import json
from xml.etree import ElementTree

import pytest

from cellwise import brackets
from cellwise.training import run
from cellwise.training.config import load_config
from tests.apps.test_cli import invoke
from tests.tasks import phrases, treebank

TREE = "(2 (2 not) (2 (2 grim) (2 play)))"


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    """The folder of a trained run of the recipe `compose`, small."""
    folder = tmp_path_factory.mktemp("compose")
    path = treebank.write(folder / "trees.txt")
    settings = [
        f"data.train={path}",
        f"data.dev={path}",
        "model.hidden_size=8",
        "training.epochs=1",
        "training.tensorboard=false",
        "training.device=cpu",
    ]
    run.train(load_config("compose", settings), folder / "run")
    return folder / "run"


def test_trees_are_printed_in_brackets_where_nobody_sees_colours(composed):
    result = invoke("predict", composed, TREE)
    assert result.stdout.startswith("(")
    assert result.stdout.count("(") == 5
    assert result.stderr == ""


def test_a_fallback_to_right_branching_trees_is_said_once(composed):
    result = invoke("predict", composed, "a fine play", "a grim play")
    assert result.stderr == (
        "cellwise: sentences without brackets are read as trees that branch to the right; "
        "give trees in brackets for other ones\n"
    )
    assert len(result.stdout.splitlines()) == 2
    found = invoke("predict", composed, "a fine play", "--json")
    assert json.loads(found.stdout)["structure"] == "right-branching"


def test_on_a_terminal_each_phrase_has_its_colour(composed, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    lines = invoke("predict", composed, TREE).stdout.splitlines()
    assert len(lines) == 5
    assert all("\x1b[" in line and ";2;" in line for line in lines)
    assert json.loads(invoke("predict", composed, TREE, "--json").stdout)


def test_trees_are_drawn_into_files(composed, tmp_path):
    invoke("predict", composed, TREE, TREE, "--svg", tmp_path / "tree.svg")
    invoke("predict", composed, TREE, "", "a fine play", "--json", "--svg", tmp_path / "trees")
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.svg"))
    assert found == ["tree-2.svg", "tree.svg", "trees/1.svg", "trees/3.svg"]
    for name in found:
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg")


def test_trees_that_a_parser_found_are_drawn_too(tmp_path):
    path = phrases.write(tmp_path / "trees.mrg")
    sizes = ("hidden_size", "embedding_size", "character_embedding_size", "character_hidden_size")
    settings = [
        *(f"model.{size}=16" for size in sizes),
        *(f"data.{part}={path}" for part in ("train", "dev")),
        "model.encoder_layers=1",
        "training.epochs=1",
        "training.tensorboard=false",
        "training.device=cpu",
    ]
    run.train(load_config("parse", settings), tmp_path / "run")
    result = invoke("predict", tmp_path / "run", "it barked (up)", "--svg", tmp_path / "tree.svg")
    (tree,) = brackets.parse([result.stdout])
    assert tree.sentence() == ("it", "barked", "-LRB-", "up", "-RRB-")
    assert result.stderr == ""
    title = ElementTree.parse(tmp_path / "tree.svg").findtext("{http://www.w3.org/2000/svg}title")
    assert title == "it barked -LRB- up -RRB-"


def test_other_tasks_have_no_trees_to_draw(trained, tmp_path):
    result = invoke("predict", trained, "x", "--svg", tmp_path / "x.svg", status=2)
    assert result.stderr == "cellwise: --svg draws trees, but this model answers without any\n"
    result = invoke("predict", trained, "x", "--svg", tmp_path / "x.png", status=2)
    assert result.stderr == (
        f"cellwise: --svg {tmp_path / 'x.png'}: trees are drawn as SVG, in a file that ends in "
        ".svg or in a folder\n"
    )


def test_wrong_brackets_end_in_one_message(composed):
    result = invoke("predict", composed, "(2 (2 a)", status=2)
    assert result.stderr == (
        "cellwise: input 1, column 1: the tree that begins here lacks a ')'; "
        "a line that begins with '(' must be a tree in brackets\n"
    )


def test_the_recipe_without_data_says_what_to_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("train", "compose", status=2)
    assert "--set data.train=FILE --set data.dev=FILE --set data.test=FILE" in result.stderr
    assert list(tmp_path.iterdir()) == []
