from __future__ import annotations

import json
import shutil
import signal

import pytest

from cellwise.apps.tune import parse_vary
from cellwise.errors import ConfigError
from cellwise.training import tune_trial
from tests.apps.test_cli import invoke, started
from tests.training.tune_search import pretend

pytestmark = pytest.mark.usefixtures("quick_store")

RATES = ["--vary", "training.learning_rate=1e-4..1"]


@pytest.fixture
def _fake(monkeypatch):
    monkeypatch.setattr(tune_trial, "train", pretend)


@pytest.mark.usefixtures("_fake")
def test_tune_prints_the_table_and_what_to_do_next(config, tmp_path):
    out = tmp_path / "search"
    result = invoke("tune", config, *RATES, "--trials", 2, "--out", out)
    lines = result.stdout.splitlines()
    assert (
        lines[0].split() == "| trial | accuracy | learning_rate | epochs | time | result |".split()
    )
    assert lines[5] == "The search is over for now: 2 trials are over."
    assert lines[6].startswith("Best on dev: accuracy 0.")
    assert lines[7:9] == [
        f"Tables and plots are in {out}. Use the best settings:",
        f"  cellwise train {out}/best.toml",
    ]
    assert lines[9].startswith(f"  cellwise evaluate {out}/trials/00")
    assert result.stderr.splitlines()[0] == f"folder of the search: {out}"
    names = {path.name for path in out.iterdir()} - {".turn"}
    assert names == {
        "base.toml",
        "best.toml",
        "study.db",
        "trials",
        "trials.csv",
        "trials.md",
        "trials.png",
    }
    assert (out / "trials.png").read_bytes().startswith(b"\x89PNG\r\n")


@pytest.mark.usefixtures("_fake")
def test_tune_goes_on_by_its_folder_and_prints_json(config, tmp_path):
    out = tmp_path / "search"
    first = invoke("tune", config, *RATES, "--trials", 1, "--out", out, "-q", "--json")
    again = invoke("tune", out, "--resume", "--trials", 2, "-q", "--json")
    found, more = json.loads(first.stdout), json.loads(again.stdout)
    assert found["trials"] == more["trials"][:1]
    assert len(more["trials"]) == 2
    assert (more["metric"], more["goal"], more["folder"]) == ("accuracy", "max", str(out))
    best = max(more["trials"], key=lambda trial: trial["value"])
    assert more["best"] == {**best, "run": str(out / "trials" / f"{best['number']:03}")}
    assert again.stderr == ""
    same = invoke("tune", config, *RATES, "--trials", 2, "--out", out, "-q", "--json", "--resume")
    assert json.loads(same.stdout)["trials"] == more["trials"]


@pytest.mark.usefixtures("_fake")
def test_tune_reads_the_table_of_a_file_and_chooses_a_folder(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = "[tune]\ntrials = 1\n[tune.vary]\nmodel.hidden_size = [4, 8]\n"
    config.write_text(config.read_text() + table)
    result = invoke("tune", config, "-q", "--json")
    (folder,) = (tmp_path / "searches").iterdir()
    assert folder.name.startswith("toy-20")
    (trial,) = json.loads(result.stdout)["trials"]
    assert trial["settings"]["model.hidden_size"] in {"4", "8"}


def test_the_best_configuration_trains(config, tmp_path):
    out = tmp_path / "search"
    invoke("tune", config, *RATES, "--trials", 1, "--out", out, "-q")
    best = json.loads(invoke("tune", out, "--resume", "--json", "-q").stdout)["best"]
    run = invoke("train", out / "best.toml", "--out", tmp_path / "run", "-q", "--json")
    assert json.loads(run.stdout)["best_value"] == best["value"]
    assert "accuracy" in json.loads(invoke("evaluate", best["run"], "-q", "--json").stdout)


def test_ctrl_c_says_how_to_go_on_and_the_trial_is_finished_then(config, tmp_path):
    out = tmp_path / "search"
    many = ["--set", "training.epochs=100000", "--trials", 2]
    with started("tune", config, *RATES, *many, "--out", out) as process:
        while not process.stderr.readline().startswith("  epoch 2:"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait() == 130
    assert said.splitlines()[-2:] == [
        "Stopped; 0 of 2 trials are over and kept. Go on with:",
        f"  cellwise tune {out} --resume",
    ]
    assert "Traceback" not in said


MISTAKES = [
    (
        ["tune"],
        "say what to search around: `cellwise tune CONFIG.toml` or `cellwise tune RECIPE` "
        "(`cellwise recipes` lists them), or go on: `cellwise tune FOLDER --resume`",
    ),
    (["tune", "no.toml", *RATES], "there is no file no.toml"),
    (
        ["tune", ".", *RATES],
        ". is a folder, and there is no search in it: name a configuration file, such as mine.toml",
    ),
    (["tune", "tag", "--resume"], "say which search to resume: `cellwise tune FOLDER --resume`"),
    (
        ["tune", ".", "--resume", *RATES],
        "the search in . goes on with what it varies and sets; leave --vary and --set out, or "
        "start a new search with another --out",
    ),
    (["tune", ".", "--resume", "--out", "x"], "--resume goes on in .; --out x is another folder"),
    (
        ["tune", ".", "--resume"],
        ". holds no search to go on with: it has no study.db. Give the configuration and --out, "
        "or the --storage that was used",
    ),
    (
        ["tune", "toy.toml", "--vary", "training.epochs"],
        "--vary training.epochs: write section.key=spec, as in --vary training.epochs=2..8",
    ),
    (
        ["tune", "toy.toml", "--vary", "training.epoch=1..2"],
        "--vary training.epoch=1..2: unknown key 'training.epoch'. Did you mean 'epochs'?",
    ),
    (
        ["tune", "toy.toml", *RATES, "--sampler", "best"],
        "--sampler best: 'tune.sampler' is \"best\", but must be one of 'tpe', 'random' or 'grid'",
    ),
    (
        ["tune", "toy.toml", *RATES, "--keep", "-1"],
        "--keep -1: 'tune.keep' is -1, but must be a value of at least 0",
    ),
    (
        ["tune", "toy.toml", *RATES, "--storage", "nowhere://x", "--out", "new"],
        "--storage cannot be opened as a store of trials: Can't load plugin: "
        "sqlalchemy.dialects:nowhere",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
@pytest.mark.usefixtures("config")
def test_a_mistake_is_one_message(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments, status=2)
    assert result.stderr.splitlines()[-1] == f"cellwise: {message}"
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_key_that_varies_twice_is_refused():
    with pytest.raises(ConfigError) as caught:
        parse_vary(["training.epochs=1..2", "training.epochs = 3..4"])
    assert str(caught.value) == (
        "--vary training.epochs = 3..4: 'training.epochs' varies already; give all of it at once"
    )


def test_a_search_whose_data_are_not_there_leaves_nothing_behind(config, tmp_path):
    out = tmp_path / "search"
    gone = ["--set", f"data.train={tmp_path / 'gone.txt'}"]
    for more in ([], ["--storage", f"sqlite:///{tmp_path / 'other.db'}"]):
        found = invoke("tune", config, *RATES, *gone, *more, "--out", out, status=2)
        assert found.stderr.splitlines()[-1] == f"cellwise: there is no file {tmp_path}/gone.txt"
        assert not out.exists()
        again = invoke("tune", config, *RATES, *more, "--trials", 1, "--out", out, "-q", "--json")
        assert len(json.loads(again.stdout)["trials"]) == 1
        shutil.rmtree(out)
    out.mkdir()
    invoke("tune", config, *RATES, "--out", out, "--storage", "nonsense", status=2)
    assert not any(out.iterdir())


def test_cells_in_files_start_at_the_configuration_that_names_them(config, tmp_path, monkeypatch):
    (tmp_path / "mine.txt").write_text("h[t] = tanh(W @ x[t] + U @ h[t-1])\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    head = config.read_text()
    for out, spec in enumerate(('["mine.txt", "gru"]', '"mine.txt|gru"')):
        config.write_text(f"{head}[tune.vary]\nmodel.cell = {spec}\n")
        found = invoke("tune", config, "--sampler", "grid", "--out", out, "-q", "--json")
        trials = json.loads(found.stdout)["trials"]
        assert {trial["state"] for trial in trials} == {"done"}
        assert {trial["settings"]["model.cell"] for trial in trials} == {
            str(tmp_path / "mine.txt"),
            "gru",
        }
