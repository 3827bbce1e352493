from __future__ import annotations

import pytest

from cellwise.errors import ConfigError
from cellwise.training.run import Outcome
from cellwise.training.tune_store import saved_record
from cellwise.training.tune_study import open_study
from cellwise.training.tune_workers import Workers
from tests.training.tune_search import VARY, search, value

pytestmark = pytest.mark.usefixtures("quick_store")

GRID = {"model.hidden_size": "4..12:4", "model.cell": "lstm|gru"}


def started(folder, what, *, resume=False, workers=None):
    folder.mkdir(exist_ok=True)
    return open_study(what, workers or Workers(folder), folder, resume=resume)


def finish(study, trial):
    best = value(study.search.trial_config(trial.params))
    study.done(trial, Outcome(True, "", 3, 24, 1.5, 2, best))


def work(study, count):
    """What was proposed for the next trials, each of which is done before the next one."""
    proposed = []
    for _ in range(count):
        trial = study.next()
        proposed.append(trial.params)
        finish(study, trial)
    return proposed


def test_the_seed_decides_also_what_follows_an_interruption(tmp_path):
    what = search(trials=12)  # the first ten are drawn without regard to those before
    whole = work(started(tmp_path / "a", what), 12)
    study = started(tmp_path / "b", what)
    first = work(study, 10)
    study.interrupted(study.next())
    again = started(tmp_path / "b", what, resume=True)
    assert len(again.rows()) == 10
    assert first + work(again, 2) == whole
    assert again.next() is None
    assert [row.number for row in again.rows()] == [*range(10), 11, 12]
    assert len({point["training.learning_rate"] for point in whole}) == 12


def test_another_seed_proposes_something_else(tmp_path):
    proposed = [
        work(started(tmp_path / seed, search(VARY, f"training.seed={seed}")), 1) for seed in "12"
    ]
    assert proposed[0] != proposed[1]


def test_a_trial_whose_worker_died_is_repeated(tmp_path):
    workers = Workers(tmp_path)
    with workers.at_work():
        lost = started(tmp_path, search(), workers=workers).next()
    study = started(tmp_path, search(), resume=True)
    found = study.next()
    assert found.params == lost.params
    assert found.user_attrs["again"] == lost.number == 0


def test_a_trial_of_a_living_worker_is_left_to_it(tmp_path):
    what = search(trials=2)
    here, there = Workers(tmp_path), Workers(tmp_path)
    with here.at_work(), there.at_work():
        first = started(tmp_path, what, workers=here).next()
        study = started(tmp_path, what, workers=there, resume=True)
        second = study.next()
        assert second.number == 1
        assert second.params != first.params
        assert study.next() is None


def test_a_grid_is_worked_off_once_and_repeats_what_was_interrupted(tmp_path):
    study = started(tmp_path, search(GRID, sampler="grid"))
    first = study.next()
    study.interrupted(first)
    points = work(study, 6)
    assert study.next() is None
    assert points[-1] == first.params
    assert len({tuple(point.values()) for point in points}) == 6


def test_rows_tell_how_trials_ended(tmp_path):
    study = started(tmp_path, search())
    trial = study.next()
    finish(study, trial)
    study.failed(study.next(), "too bold", seconds=2.0, epochs=1)
    pruned = study.next()
    pruned.report(0.25, 1)
    study.pruned(pruned, seconds=3.0, epochs=1)
    study.same(study.next(), study.rows()[0])
    study.interrupted(study.next())
    done, failed, early, same = study.rows()
    assert (done.state, done.value) == ("done", value(study.search.trial_config(trial.params)))
    assert (done.best_epoch, done.epochs, done.seconds, done.reason) == (2, 3, 1.5, "")
    assert done.settings == trial.params
    assert (failed.state, failed.value, failed.reason) == ("failed", None, "too bold")
    assert (early.state, early.value, early.epochs, early.seconds) == ("pruned", 0.25, 1, 3.0)
    assert (same.value, same.reason) == (done.value, "as trial 0")
    assert study.values(2) == {1: 0.25}


def test_a_search_that_is_there_needs_resume_and_must_be_the_same(tmp_path):
    started(tmp_path, search())
    with pytest.raises(ConfigError) as caught:
        started(tmp_path, search())
    assert str(caught.value) == "there is a search 'tune' already; go on with it: --resume"
    with pytest.raises(ConfigError, match=r"^'training\.epochs' cannot change when a search goes"):
        started(tmp_path, search(VARY, "training.epochs=9"), resume=True)


def test_a_store_elsewhere_names_the_study_after_the_folder(tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        open_study(search(trials=7), Workers(folder), folder, storage=url)
        assert not (folder / "study.db").exists()
        assert saved_record(folder, storage=url)["trials"] == 7
    with pytest.raises(ConfigError) as caught:
        saved_record(tmp_path / "three", storage=url)
    assert str(caught.value) == "the storage holds no search called 'three'"


def test_what_is_no_store_is_said(tmp_path):
    with pytest.raises(ConfigError) as caught:
        saved_record(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds no search to go on with: it has no study.db. Give the configuration "
        "and --out, or the --storage that was used"
    )
    (tmp_path / "study.db").write_bytes(b"these are no pages of a database " * 40)
    with pytest.raises(ConfigError) as caught:
        saved_record(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'study.db'} cannot be opened as a store of trials: file is not a database"
    )
    with pytest.raises(ConfigError, match=r"^--storage cannot be opened as a store of trials: "):
        saved_record(tmp_path, storage="nowhere://secret@host/trials")


def test_a_study_of_others_is_not_taken(tmp_path):
    import optuna

    url = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.create_study(storage=url, study_name="tune")
    with pytest.raises(ConfigError) as caught:
        saved_record(tmp_path)
    assert str(caught.value) == "the study 'tune' is none that `cellwise tune` made"


def test_without_optuna_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError) as caught:
        started(tmp_path, search())
    assert str(caught.value) == ("a search needs the library optuna: pip install 'cellwise[tune]'")
