"""The trials of a search in an Optuna study: who proposes, what is known, what is over.

A trial that failed with a result says that its settings do not work. One that failed without was
interrupted; it is put into the queue again, as another trial with the same settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellwise.errors import ConfigError
from cellwise.training.run import Outcome
from cellwise.training.tune_search import Search, check_same
from cellwise.training.tune_space import Choice, Varied
from cellwise.training.tune_store import (
    RECORD,
    close_store,
    has_study,
    open_store,
    optuna_library,
    record_of,
    study_name,
)
from cellwise.training.tune_trials import Row, State
from cellwise.training.tune_workers import Workers

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.samplers import BaseSampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, Trial

WORKER, AGAIN, RESULT = "worker", "again", "result"
"""Attributes of a trial: who runs it, which interrupted one it repeats, how it ended."""


class Study:
    """The trials of a search, shared by all the processes that work on it."""

    def __init__(self, study: OptunaStudy, store: RDBStorage, search: Search, workers: Workers):
        self._study, self._store = study, store
        self.search, self._workers = search, workers

    def close(self) -> None:
        """Let go of the store."""
        close_store(self._store)

    def next(self) -> Trial | None:
        """The next trial, its settings proposed; None when there are as many as there should be.

        Of several processes one at a time is here. The same seed and the same trials before give
        the same proposal, also after an interruption.
        """
        with self._workers.turn():
            self._repeat_interrupted()
            trials = self._trials()
            waiting = any(trial.state.name == "WAITING" for trial in trials)
            count = sum(map(_counts, trials))
            is_grid = self.search.settings.sampler == "grid"
            if count >= self.search.n_trials or (is_grid and not waiting):
                return None
            self._study.sampler = _sampler(self.search, count)
            trial = self._study.ask()
            trial.set_user_attr(WORKER, self._workers.name)
            for varied in self.search.space:
                _suggest(trial, varied)
            return trial

    def rows(self) -> list[Row]:
        """The trials that are over, without those that were interrupted."""
        return [
            _row(trial)
            for trial in self._trials()
            if trial.state.is_finished() and not _is_interrupted(trial)
        ]

    def values(self, number: int) -> dict[int, float]:
        """The dev metric of each evaluation of a trial, counted from 1."""
        return dict(self._trials()[number].intermediate_values)

    def done(self, trial: Trial, outcome: Outcome) -> None:
        """A trial came to its end."""
        result = {"seconds": outcome.seconds, "epochs": outcome.epochs}
        trial.set_user_attr(RESULT, {**result, "best_epoch": outcome.best_epoch})
        self._study.tell(trial, outcome.best_value)

    def same(self, trial: Trial, row: Row) -> None:
        """A trial whose settings had their result before."""
        result = {"epochs": row.epochs, "best_epoch": row.best_epoch}
        trial.set_user_attr(RESULT, {**result, "reason": f"as trial {row.number}"})
        self._study.tell(trial, row.value)

    def pruned(self, trial: Trial, *, seconds: float, epochs: int) -> None:
        """A trial ended early, as it was worse than others."""
        trial.set_user_attr(RESULT, {"seconds": seconds, "epochs": epochs})
        self._study.tell(trial, state=optuna_library().trial.TrialState.PRUNED)

    def failed(self, trial: Trial, reason: str, *, seconds: float = 0.0, epochs: int = 0) -> None:
        """These settings do not work."""
        result = {"seconds": seconds, "epochs": epochs, "reason": reason}
        trial.set_user_attr(RESULT, result)
        self._study.tell(trial, state=optuna_library().trial.TrialState.FAIL)

    def interrupted(self, trial: Trial) -> None:
        """A trial was stopped from outside; it will be repeated."""
        self._study.tell(trial, state=optuna_library().trial.TrialState.FAIL)

    def forget_if_untried(self) -> None:
        """Take the study out of its store, unless a trial is over or others have joined."""
        with self._workers.turn():
            untried = all(t.state.name == "WAITING" or _is_interrupted(t) for t in self._trials())
            if untried and self._workers.is_alone():
                name = self._study.study_name
                optuna_library().delete_study(study_name=name, storage=self._store)

    def _trials(self) -> Sequence[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _repeat_interrupted(self) -> None:
        """Put trials whose process is gone, or which were stopped, into the queue again."""
        state = optuna_library().trial.TrialState
        for trial in self._trials():
            worker = trial.user_attrs.get(WORKER)
            if trial.state == state.RUNNING and worker and self._workers.is_dead(worker):
                self._study.tell(trial.number, state=state.FAIL)
        trials = self._trials()
        repeated = {trial.user_attrs.get(AGAIN) for trial in trials}
        for trial in trials:
            if _is_interrupted(trial) and trial.params and trial.number not in repeated:
                self._study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})


def open_study(
    search: Search, workers: Workers, folder: Path, *, storage: str = "", resume: bool = False
) -> Study:
    """The study of a search: a new one, or with `resume` the one that is there.

    Args:
        search: what is searched.
        workers: those who work in the folder.
        folder: the search's folder.
        storage: a database's URL, as SQLAlchemy reads it; else study.db in the folder.
        resume: whether a study may be there.

    Raises:
        ConfigError: a study is there, but not wanted, or it searches something else; or the
            storage cannot be opened.
    """
    with workers.turn():
        store, name = open_store(folder, storage), study_name(folder, storage)
        if not has_study(store, name):
            return Study(_create(store, name, search), store, search, workers)
        if not resume:
            raise ConfigError(f"there is a search '{name}' already; go on with it: --resume")
        study = optuna_library().load_study(
            study_name=name, storage=store, sampler=_sampler(search, 0), pruner=_pruner(search)
        )
        check_same(record_of(study), search.record())
        return Study(study, store, search, workers)


def _create(store: RDBStorage, name: str, search: Search) -> OptunaStudy:
    direction = {"min": "minimize", "max": "maximize"}[search.goal]
    study: OptunaStudy = optuna_library().create_study(
        storage=store,
        study_name=name,
        direction=direction,
        sampler=_sampler(search, 0),
        pruner=_pruner(search),
    )
    study.set_user_attr(RECORD, search.record())
    for point in search.grid():
        study.enqueue_trial(point)
    return study


def _sampler(search: Search, count: int) -> BaseSampler:
    """Who proposes the trial after `count` others.

    It is made anew each time, so that nothing but the seed and the trials before decides.
    """
    samplers = optuna_library().samplers
    source = np.random.SeedSequence([search.config.training.seed, count])
    seed = int(source.generate_state(1)[0])
    made: BaseSampler
    if search.settings.sampler == "tpe":
        made = samplers.TPESampler(seed=seed, constant_liar=True)
    else:  # a grid is queued when the study is made, and nothing is left to propose
        made = samplers.RandomSampler(seed=seed)
    return made


def _pruner(search: Search) -> Any:
    pruners = optuna_library().pruners
    if search.settings.pruner == "none":
        return pruners.NopPruner()
    return pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)


def _suggest(trial: Trial, varied: Varied) -> None:
    if isinstance(varied, Choice):
        trial.suggest_categorical(varied.key, list(varied.values))
    elif varied.whole:
        low, high, step = int(varied.low), int(varied.high), int(varied.step or 1)
        trial.suggest_int(varied.key, low, high, step=step, log=varied.log)
    else:
        trial.suggest_float(varied.key, varied.low, varied.high, step=varied.step, log=varied.log)


def _is_interrupted(trial: FrozenTrial) -> bool:
    return trial.state.name == "FAIL" and RESULT not in trial.user_attrs


def _counts(trial: FrozenTrial) -> bool:
    """Whether a trial is one of those that were asked for: finished, or under way."""
    return trial.state.name != "WAITING" and not _is_interrupted(trial)


def _row(trial: FrozenTrial) -> Row:
    states: dict[str, State] = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed"}
    return Row(
        number=trial.number,
        state=states[trial.state.name],
        settings=dict(trial.params),
        value=trial.value,
        **trial.user_attrs.get(RESULT, {}),
    )
