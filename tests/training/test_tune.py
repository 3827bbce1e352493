from __future__ import annotations

import csv

import pytest

from cellwise.errors import ConfigError
from cellwise.training import tune_trial
from cellwise.training.config import load_config
from cellwise.training.progress import Reporter
from cellwise.training.stops import DivergedError, StoppedError
from cellwise.training.tune import tune
from tests.training.tune_search import configure, pretend, search, value

pytestmark = pytest.mark.usefixtures("quick_store")


@pytest.fixture(autouse=True)
def _fake(monkeypatch):
    monkeypatch.setattr(tune_trial, "train", pretend)


class Notes(Reporter):
    def __init__(self):
        self.lines: list[str] = []

    def note(self, text):
        self.lines.append(text)


def test_the_best_of_all_trials_is_kept_with_its_configuration(tmp_path):
    folder = tmp_path / "new" / "search"
    seen = []
    found = tune(search(trials=4), folder, over=lambda now: seen.append(len(now.rows)))
    assert found.why == "4 trials are over"
    assert seen == [1, 2, 3, 4]
    best = max(found.rows, key=lambda row: row.value or 0.0)
    assert found.best == best
    assert value(load_config(folder / "best.toml")) == best.value
    assert load_config(folder / "base.toml") == configure()
    with_weights = [path.parent.name for path in folder.glob("trials/*/model.safetensors")]
    assert with_weights == [f"{best.number:03}"]
    assert len(list((folder / "trials").iterdir())) == 4


def test_the_tables_hold_every_trial(tmp_path):
    found = tune(search(trials=2), tmp_path)
    page = (tmp_path / "trials.md").read_text()
    assert page.startswith(
        "Trials of `toy` by `accuracy` on dev, the higher the better.\n\n| trial"
    )
    assert len(page.splitlines()) == 6
    lines = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    assert [float(line["accuracy"]) for line in lines] == [row.value for row in found.rows]
    assert list(lines[0])[3:5] == ["training.learning_rate", "model.hidden_size"]


@pytest.mark.parametrize("keep", [0, 2])
def test_the_weights_of_as_many_as_wanted_are_kept(tmp_path, keep):
    found = tune(search(trials=3, keep=keep), tmp_path)
    ranked = sorted(found.rows, key=lambda row: -(row.value or 0.0))
    kept = {path.parent.name for path in tmp_path.glob("trials/*/model.safetensors")}
    assert kept == {f"{row.number:03}" for row in ranked[:keep]}


def test_a_search_goes_on_to_more_trials(tmp_path):
    first = tune(search(trials=2), tmp_path)
    again = tune(search(trials=3), tmp_path, resume=True)
    assert again.rows[:2] == first.rows
    assert len(again.rows) == 3
    nothing = tune(search(trials=3), tmp_path, resume=True)
    assert nothing.rows == again.rows


def test_ctrl_c_keeps_what_is_over_and_says_how_to_go_on(tmp_path, monkeypatch):
    calls = []

    def stopping(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return pretend(*arguments, **options)

    monkeypatch.setattr(tune_trial, "train", stopping)
    with pytest.raises(StoppedError) as caught:
        tune(search(trials=3), tmp_path)
    assert str(caught.value) == (
        "Stopped; 1 of 3 trials are over and kept. Go on with:\n"
        f"  cellwise tune {tmp_path} --resume"
    )
    assert len((tmp_path / "trials.csv").read_text().splitlines()) == 2
    found = tune(search(trials=3), tmp_path, resume=True)
    assert [row.number for row in found.rows] == [0, 2, 3]


def test_one_that_fails_does_not_end_the_search(tmp_path, monkeypatch):
    def fragile(config, *arguments, **options):
        if config.model.hidden_size <= 16:
            raise DivergedError("the loss became nan")
        return pretend(config, *arguments, **options)

    monkeypatch.setattr(tune_trial, "train", fragile)
    found = tune(search({"model.hidden_size": "8..32:8"}, sampler="grid"), tmp_path)
    failed = {row.settings["model.hidden_size"] for row in found.rows if row.state == "failed"}
    assert failed == {8, 16}
    assert found.best is not None
    assert (tmp_path / "trials.md").read_text().count("failed: the loss became nan") == 2


def test_trials_that_all_fail_alike_end_the_search(tmp_path, monkeypatch):
    def hopeless(*_arguments, **_options):
        raise ConfigError("there is no device")

    monkeypatch.setattr(tune_trial, "train", hopeless)
    for count, resume in ((3, False), (4, True)):
        with pytest.raises(ConfigError) as caught:
            tune(search(), tmp_path, resume=resume)
        assert str(caught.value) == f"all of {count} trials failed alike: there is no device"
    assert not (tmp_path / "best.toml").exists()


def test_no_trial_starts_after_the_time_limit(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("cellwise.training.tune.time.monotonic", lambda: now[0])

    def slow(*arguments, **options):
        now[0] += 50.0
        return pretend(*arguments, **options)

    monkeypatch.setattr(tune_trial, "train", slow)
    found = tune(search(minutes=1.5), tmp_path)
    assert found.why == "the limit of 1.5 minutes is reached"
    assert len(found.rows) == 2


def test_the_reporter_is_told_of_trials(tmp_path):
    reporter = Notes()
    found = tune(search(trials=2), tmp_path, reporter=reporter)
    first, second = found.rows
    size = first.settings["model.hidden_size"]
    assert reporter.lines[0].startswith("trial 0 (0 of 2 are over): learning_rate ")
    assert reporter.lines[0].endswith(f", hidden_size {size}")
    assert reporter.lines[1] == f"trial 0: accuracy {first.value:.5g}, the best so far"
    assert reporter.lines[2].startswith("trial 1 (1 of 2 are over): ")
    best = "the best so far" if found.best == second else f"the best is {first.value:.5g}"
    assert best in reporter.lines[3]


def test_a_folder_that_cannot_be_had_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    said = {
        tmp_path: f"{tmp_path} is not empty. Choose another --out, or go on with the search "
        "there: --resume",
        tmp_path / "file": f"{tmp_path / 'file'} is a file; a search needs a folder",
        tmp_path / "file" / "x": f"{tmp_path / 'file' / 'x'} cannot hold a search: Not a directory",
    }
    for folder, message in said.items():
        with pytest.raises(ConfigError) as caught:
            tune(search(), folder)
        assert str(caught.value) == message
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError) as caught:
        tune(search(), tmp_path / "new")
    assert str(caught.value) == (
        "a search is no training by several processes; start `cellwise tune` by itself, several "
        "times with the same --out and --resume to share the work"
    )
