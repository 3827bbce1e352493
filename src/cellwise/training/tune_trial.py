"""One trial of a search: a run of its own, which tells of every epoch and may end early."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from cellwise.errors import (
    NO_MEMORY,
    BackendError,
    ConfigError,
    EquationError,
    ShapeError,
    is_of_memory,
)
from cellwise.training.checkpoints import has_checkpoint
from cellwise.training.members import LostProcessError
from cellwise.training.progress import Reporter
from cellwise.training.run import Outcome, train
from cellwise.training.stops import DivergedError
from cellwise.training.tune_results import trial_folder
from cellwise.training.tune_study import AGAIN, Study
from cellwise.training.tune_trials import Row, best_first

if TYPE_CHECKING:
    from optuna.trial import Trial

WRONG_SETTINGS = (
    DivergedError,
    ConfigError,
    EquationError,
    ShapeError,
    BackendError,
    LostProcessError,
    torch.OutOfMemoryError,
)
"""What settings that do not work are answered with; other errors end the search."""


class PrunedError(Exception):
    """A trial ends early, as it is worse than others."""


class TrialReporter(Reporter):
    """Shows a trial's progress, tells its study of evaluations, and ends it when it is hopeless.

    Args:
        trial: the trial.
        shown: what a person sees.
        known: the evaluations, counted from 1, of the interrupted trial that this one goes on with.
        last_epoch: the epoch whose one evaluation is the end in any case; 0: there is none such.
    """

    def __init__(self, trial: Trial, shown: Reporter, known: dict[int, float], last_epoch: int):
        self._trial, self._shown, self._last_epoch = trial, shown, last_epoch
        self._since = time.monotonic()
        self._count, self._epoch = len(known), 0
        for count, value in known.items():
            trial.report(value, count)

    def effort(self) -> tuple[float, int]:
        """The seconds since the trial began, and the epoch in which it was."""
        return time.monotonic() - self._since, self._epoch

    def begin(self, name: str, total: int, done: int = 0) -> None:
        self._shown.begin(name, total, done)

    def advance(self, count: int, text: str = "") -> None:
        self._shown.advance(count, text)

    def end(self) -> None:
        self._shown.end()

    def note(self, text: str) -> None:
        self._shown.note(f"  {text}")

    def judged(self, epoch: int, value: float) -> None:
        self._count, self._epoch = self._count + 1, epoch
        self._trial.report(value, self._count)
        if epoch != self._last_epoch and self._trial.should_prune():
            raise PrunedError


def run_trial(study: Study, trial: Trial, folder: Path, shown: Reporter) -> None:
    """Train with the settings of a trial, and tell the study how it ended.

    Settings that were tried before have the result that they had.

    Raises:
        StoppedError: Ctrl-C. The study takes the trial for interrupted, as after any other error.
        DataError: the data cannot be read.
    """
    with _interrupted_by_errors(study, trial):
        twin = _twin(study, trial)
        if twin is None:
            _train(study, trial, folder, shown)
        else:
            study.same(trial, twin)


@contextlib.contextmanager
def _interrupted_by_errors(study: Study, trial: Trial) -> Iterator[None]:
    """Whatever breaks off a trial, it is not left behind as one that still runs."""
    try:
        yield
    except BaseException:
        study.interrupted(trial)
        raise


def _twin(study: Study, trial: Trial) -> Row | None:
    """An earlier trial that was done with the same settings."""
    rows = best_first(study.rows(), study.search.goal)
    return next((row for row in rows if row.settings == trial.params), None)


def _train(study: Study, trial: Trial, folder: Path, shown: Reporter) -> None:
    try:
        config = study.search.trial_config(trial.params)
    except ConfigError as error:
        study.failed(trial, _in_a_line(error))
        return
    again: int | None = trial.user_attrs.get(AGAIN)
    run = trial_folder(folder, trial.number)
    resume = again is not None and _take_over(trial_folder(folder, again), run)
    known = study.values(again) if again is not None and resume else {}
    last_epoch = 0 if config.training.evaluate_steps else config.training.epochs
    reporter = TrialReporter(trial, shown, known, last_epoch)
    try:
        outcome = train(config, run, resume=resume, reporter=reporter)
    except PrunedError:
        seconds, epochs = reporter.effort()
        study.pruned(trial, seconds=seconds, epochs=epochs)
    except WRONG_SETTINGS as error:
        seconds, epochs = reporter.effort()
        study.failed(trial, _in_a_line(error), seconds=seconds, epochs=epochs)
    except (MemoryError, RuntimeError) as error:
        if not is_of_memory(error):
            raise
        seconds, epochs = reporter.effort()
        study.failed(trial, NO_MEMORY, seconds=seconds, epochs=epochs)
    else:
        _close(study, trial, outcome)


def _close(study: Study, trial: Trial, outcome: Outcome) -> None:
    value = outcome.best_value
    if value is None or not math.isfinite(value):
        reason = f"the dev metric is {value}"
        study.failed(trial, reason, seconds=outcome.seconds, epochs=outcome.epochs)
    else:
        study.done(trial, outcome)


def _in_a_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _take_over(before: Path, run: Path) -> bool:
    """Give an interrupted run to the trial that goes on with it, if there is anything of it."""
    if not has_checkpoint(before):
        return False
    before.rename(run)
    return True
