import json

import pytest

from cellwise.errors import ConfigError
from cellwise.training.config import parse_config
from cellwise.training.run import load_run, train
from tests.apps.test_cli import invoke

CONFIG = """
task = "transduce"
[data]
train = "pairs.tsv"
dev = "pairs.tsv"
target_unit = "characters"
[model]
hidden_size = 8
embedding_size = 4
[training]
epochs = 12
learning_rate = 0.05
schedule = "constant"
device = "cpu"
tensorboard = false
"""
WORDS = ["ab", "ba", "aab", "bba", "abab"]


def trained(folder, name, *, words=WORDS, settings=()):
    lines = [f"{word}\t{word[::-1]}\n" for word in words]
    (folder / "pairs.tsv").write_text("".join(lines), encoding="utf-8")
    train(parse_config(CONFIG, folder, source="test", overrides=settings), folder / name)
    return folder / name


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    first = trained(folder, "first")
    settings = ["training.seed=2", "model.cell=gru", "model.embedding_size=6"]
    return first, trained(folder, "second", settings=settings)


def test_several_runs_answer_together(runs):
    first, second = runs
    alone = [json.loads(invoke("predict", run, "ab", "--json").stdout) for run in runs]
    both = json.loads(invoke("predict", first, "ab", "--ensemble", second, "--json").stdout)
    assert both.keys() == alone[0].keys()
    assert both["log_probability"] not in [one["log_probability"] for one in alone]
    same = json.loads(invoke("predict", first, "ab", "--ensemble", first, "--json").stdout)
    assert same["log_probability"] == pytest.approx(alone[0]["log_probability"])
    assert load_run(first, ensemble=[second]).predict(["ab"]) == [both["output"]]


def test_several_runs_are_evaluated_together(runs):
    first, second = runs
    arguments = ("evaluate", first, "--part", "dev", "--json", "-q")
    alone = json.loads(invoke(*arguments).stdout)
    both = json.loads(invoke(*arguments, "--ensemble", second, "--ensemble", second).stdout)
    assert both.keys() == alone.keys()
    assert both["loss"] != alone["loss"]
    assert invoke("evaluate", first, "--part", "dev", "-q").stdout.startswith("  loss")


def test_where_symbols_looked_is_drawn(runs, tmp_path):
    for more in ((), ("--ensemble", runs[1])):
        path = tmp_path / f"{len(more)}.png"
        invoke("predict", runs[0], "ab", "--attention", path, *more)
        assert path.read_bytes().startswith(b"\x89PNG")


def test_runs_that_do_not_go_together_are_refused(runs, tmp_path):
    other = trained(tmp_path, "other", words=["xyz", "zyx"])
    with pytest.raises(ConfigError) as error:
        load_run(runs[0], ensemble=[runs[1], other])
    assert str(error.value) == (
        f"{other} has other vocabularies than {runs[0]}: runs that answer together are trained on "
        "the same data, cut into the same units"
    )
    found = invoke("predict", runs[0], "ab", "--ensemble", tmp_path, status=2)
    assert found.stderr == f"cellwise: {tmp_path} is no run folder: it holds no config.toml\n"


def test_a_run_of_another_task_is_refused(runs, tmp_path):
    (tmp_path / "tags.tsv").write_text("a\tX\nb\tY\n\nb\tY\n", encoding="utf-8")
    config = """
task = "tag"
[data]
format = "columns"
train = "tags.tsv"
dev = "tags.tsv"
[training]
epochs = 1
device = "cpu"
tensorboard = false
"""
    train(parse_config(config, tmp_path, source="test"), tmp_path / "tagger")
    tagger = tmp_path / "tagger"
    with pytest.raises(ConfigError) as error:
        load_run(runs[0], ensemble=[tagger])
    assert str(error.value) == (
        f"{tagger} is a run of task 'tag', and {runs[0]} of 'transduce': they cannot answer "
        "together"
    )
    with pytest.raises(ConfigError) as error:
        load_run(tagger, ensemble=[tagger])
    assert str(error.value) == "runs of task 'tag' cannot answer together"
