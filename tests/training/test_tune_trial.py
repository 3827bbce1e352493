from __future__ import annotations

import pytest

from cellwise.errors import DataError
from cellwise.training import tune_trial
from cellwise.training.metrics import read_metrics
from cellwise.training.progress import Reporter
from cellwise.training.run import Outcome
from cellwise.training.stops import DivergedError, StoppedError
from cellwise.training.tune_results import trial_folder
from cellwise.training.tune_study import open_study
from cellwise.training.tune_trial import run_trial
from cellwise.training.tune_workers import Workers
from tests.training.test_loop import stop_after
from tests.training.tune_search import pretend, search

pytestmark = pytest.mark.usefixtures("quick_store")


@pytest.fixture
def fake(monkeypatch):
    """Trials that do not train; gives what else they may do."""

    def do(what):
        monkeypatch.setattr(tune_trial, "train", what)

    do(pretend)
    return do


def started(folder, what, *, resume=False):
    return open_study(what, Workers(folder), folder, resume=resume)


def run_next(study, folder):
    run_trial(study, study.next(), folder, Reporter())
    return study.rows()[-1]


def raising(error):
    def train(*_arguments, **_options):
        raise error

    return train


@pytest.mark.usefixtures("fake")
def test_a_trial_is_a_run_of_its_own(tmp_path):
    study = started(tmp_path, search())
    row = run_next(study, tmp_path)
    assert (row.state, row.epochs, row.seconds) == ("done", 3, 1.5)
    assert trial_folder(tmp_path, 0).is_dir()
    assert list(study.values(0)) == [1, 2, 3]


def test_what_diverges_is_a_result_with_a_reason(tmp_path, fake):
    study = started(tmp_path, search())
    fake(raising(DivergedError("the loss became nan\n  Try a smaller one.")))
    row = run_next(study, tmp_path)
    assert (row.state, row.reason) == ("failed", "the loss became nan")


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to …")],
)
def test_too_large_a_model_is_a_result_too(tmp_path, fake, error):
    study = started(tmp_path, search())
    fake(raising(error))
    row = run_next(study, tmp_path)
    assert row.state == "failed"
    assert row.reason == "there is not enough memory for so large a model"


def test_a_metric_that_is_no_number_is_a_failure(tmp_path, fake):
    study = started(tmp_path, search())
    fake(lambda *_, **__: Outcome(True, "", 3, 24, 1.5, 2, float("nan")))
    row = run_next(study, tmp_path)
    assert (row.state, row.value, row.reason) == ("failed", None, "the dev metric is nan")


@pytest.mark.parametrize(
    "error", [DataError("no data"), StoppedError("stop"), KeyboardInterrupt(), RuntimeError("?")]
)
def test_any_other_error_breaks_off_and_the_trial_is_repeated(tmp_path, fake, error):
    study = started(tmp_path, search())
    fake(raising(error))
    with pytest.raises(type(error)):
        run_next(study, tmp_path)
    assert study.rows() == []
    assert study.next().user_attrs["again"] == 0


@pytest.mark.usefixtures("fake")
def test_settings_that_were_done_before_have_their_result(tmp_path):
    study = started(tmp_path, search({"model.hidden_size": [8, 16]}, sampler="random"))
    rows = [run_next(study, tmp_path)]
    while not rows[-1].reason:
        rows.append(run_next(study, tmp_path))
    first = next(row for row in rows if row.settings == rows[-1].settings)
    assert 2 <= len(rows) <= 3
    assert rows[-1].reason == f"as trial {first.number}"
    assert rows[-1].value == first.value
    assert not trial_folder(tmp_path, rows[-1].number).exists()


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("pruner", ["median", "none"])
def test_the_pruner_ends_what_is_worse_than_the_median(tmp_path, pruner):
    vary = {"training.learning_rate": [0.01, 0.011, 0.012, 0.013, 0.014, 1e-4]}
    study = started(tmp_path, search(vary, sampler="grid", pruner=pruner))
    while len(study.rows()) < 5:
        trial = study.next()
        if trial.params["training.learning_rate"] == "0.0001":  # comes last: the others judge it
            study.interrupted(trial)
        else:
            run_trial(study, trial, tmp_path, Reporter())
    row = run_next(study, tmp_path)
    assert row.settings == {"training.learning_rate": "0.0001"}
    ends = (row.state, row.epochs, len(study.values(row.number)))
    assert ends == (("pruned", 2, 2) if pruner == "median" else ("done", 3, 3))


def test_the_last_evaluation_is_the_end_and_prunes_nothing(tmp_path, monkeypatch):
    study = started(tmp_path, search())
    trial = study.next()
    monkeypatch.setattr(trial, "should_prune", lambda: True)
    reporter = tune_trial.TrialReporter(trial, Reporter(), {}, last_epoch=2)
    with pytest.raises(tune_trial.PrunedError):
        reporter.judged(1, 0.5)
    reporter.judged(2, 0.25)
    assert study.values(0) == {1: 0.5, 2: 0.25}
    assert reporter.effort()[1] == 2


def test_an_interrupted_run_goes_on_to_the_same_end(tmp_path, monkeypatch):
    folders = {name: tmp_path / name for name in ("whole", "broken")}
    for folder in folders.values():
        folder.mkdir()
    whole = run_next(started(folders["whole"], search()), folders["whole"])
    with monkeypatch.context() as patch:
        stop_after(patch, 12)  # in the second of three epochs
        with pytest.raises(StoppedError):
            run_next(started(folders["broken"], search()), folders["broken"])
    study = started(folders["broken"], search(), resume=True)
    row = run_next(study, folders["broken"])
    assert (row.number, row.settings, row.value) == (1, whole.settings, whole.value)
    assert list(study.values(0)) == [1]
    assert list(study.values(1)) == [1, 2, 3]
    losses = [
        [line["train_loss"] for line in read_metrics(run) if line["part"] == "dev"]
        for run in (trial_folder(folders["whole"], 0), trial_folder(folders["broken"], 1))
    ]
    assert len(losses[0]) == 3
    assert losses[0] == losses[1]
    assert not trial_folder(folders["broken"], 0).exists()
