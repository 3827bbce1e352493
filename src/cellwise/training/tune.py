"""A search for settings: trials, each a run of its own, until there are enough of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cellwise.errors import ConfigError, DataError
from cellwise.training.checkpoints import write_atomically
from cellwise.training.progress import Reporter
from cellwise.training.stops import StoppedError, as_typed
from cellwise.training.tune_results import Found, keep_weights, write_results
from cellwise.training.tune_search import Search
from cellwise.training.tune_study import Study, open_study
from cellwise.training.tune_trial import run_trial
from cellwise.training.tune_trials import Row, best_first, short_keys, shown, shown_metric
from cellwise.training.tune_workers import Workers
from cellwise.training.writing import write_config

N_ALIKE = 3
"""So many trials that fail with the same words, when none has worked, end the search."""


def tune(
    search: Search,
    folder: Path,
    *,
    storage: str = "",
    resume: bool = False,
    reporter: Reporter | None = None,
    over: Callable[[Found], None] = lambda _: None,
) -> Found:
    """Search for settings; several processes with the same folder or storage share the work.

    Args:
        search: what is searched.
        folder: where trials/NNN, study.db, trials.md, trials.csv and best.toml go.
        storage: a database's URL instead of study.db.
        resume: whether to go on with, or to join, the search that is there.
        reporter: told what goes on.
        over: called with all that is found, at the start and whenever a trial is over.

    Raises:
        ConfigError: the folder or the storage holds another search, or all trials fail alike.
        DataError: the data cannot be read.
        StoppedError: Ctrl-C; the trials that are over are kept.
    """
    with _empty_again(folder, resume=resume):
        _check(folder, resume=resume)
        workers = Workers(folder)
        with workers.at_work(), contextlib.ExitStack() as stack:
            study = open_study(search, workers, folder, storage=storage, resume=resume)
            stack.callback(study.close)
            sitting = _Sitting(study, folder, reporter or Reporter(), over)
            try:
                return sitting.run()
            except (StoppedError, KeyboardInterrupt) as error:
                raise _stopped(study, folder, storage) from error
            except DataError:
                if not resume:
                    study.forget_if_untried()
                raise


@contextlib.contextmanager
def _empty_again(folder: Path, *, resume: bool) -> Iterator[None]:
    """Take back what a new search put into its folder, if it could not begin.

    It has begun once a trial is over, or another process is at work there.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    fresh = not resume and (bool(made) or (folder.is_dir() and not any(folder.iterdir())))
    try:
        yield
    except (ConfigError, DataError):
        begun = any((folder / name).exists() for name in ("trials.csv", "workers"))
        if fresh and not begun:
            shutil.rmtree(folder / "trials", ignore_errors=True)
            for name in ("study.db", "base.toml", ".turn"):
                with contextlib.suppress(OSError):
                    (folder / name).unlink()
            for path in made:
                # What was never made, or holds something else again, is left to itself.
                with contextlib.suppress(OSError):
                    path.rmdir()
        raise


class _Sitting:
    """This process's part of a search."""

    def __init__(
        self, study: Study, folder: Path, reporter: Reporter, over: Callable[[Found], None]
    ):
        self._study, self._search, self._folder = study, study.search, folder
        self._reporter, self._over = reporter, over
        self._since = time.monotonic()

    def run(self) -> Found:
        """Run trials until there are enough, or until time is up."""
        write_atomically(self._folder / "base.toml", write_config(self._search.config).encode())
        self._bring_up_to_date()  # others may have gone on elsewhere
        while not (why := self._late()):
            trial = self._study.next()
            if trial is None:
                why = self._complete()
                break
            self._announce(trial.number, trial.params)
            run_trial(self._study, trial, self._folder, self._reporter)
            self._tell(trial.number)
            self._bring_up_to_date()
            _demand_any_success(self._study.rows())
        return self._found(why)

    def _late(self) -> str:
        minutes = self._search.settings.minutes
        if minutes and time.monotonic() - self._since >= 60 * minutes:
            return f"the limit of {minutes:g} minutes is reached"
        return ""

    def _complete(self) -> str:
        n_over, n_trials = len(self._study.rows()), self._search.n_trials
        if n_over >= n_trials:
            return "the one trial is over" if n_over == 1 else f"{n_over} trials are over"
        return f"{n_over} of {n_trials} trials are over, and other processes are at the rest"

    def _found(self, why: str = "") -> Found:
        return Found(self._search, self._folder, why, self._study.rows())

    def _bring_up_to_date(self) -> None:
        found = self._found()
        if not found.rows:
            return
        write_results(found)
        keep_weights(found)
        self._over(found)

    # What a person sees.

    def _announce(self, number: int, proposed: dict[str, str | float]) -> None:
        names = short_keys(self._search.keys)
        settings = ", ".join(f"{names[key]} {shown(proposed[key])}" for key in names)
        n_over, n_trials = len(self._study.rows()), self._search.n_trials
        self._reporter.note(f"trial {number} ({n_over} of {n_trials} are over): {settings}")

    def _tell(self, number: int) -> None:
        rows = self._study.rows()
        row = next(row for row in rows if row.number == number)
        best = next(iter(best_first(rows, self._search.goal)), None)
        self._reporter.note(f"trial {number}: {_told(row, best, self._search.metric)}")


def _told(row: Row, best: Row | None, metric: str) -> str:
    if row.state == "failed":
        return f"failed: {row.reason}"
    value = f"{metric} {shown_metric(row.value)}"
    if row.state == "pruned":
        return f"pruned in epoch {row.epochs}, with {value}"
    if best is None or best.number == row.number:
        return f"{value}, the best so far"
    reason = f" ({row.reason})" if row.reason else ""
    return f"{value}{reason}; the best is {shown_metric(best.value)}, of trial {best.number}"


def _demand_any_success(rows: list[Row]) -> None:
    """Trials that all fail alike have a cause that no settings mend.

    Raises:
        ConfigError: they do.
    """
    reasons = {row.reason for row in rows if row.state == "failed"}
    if len(rows) >= N_ALIKE and len(reasons) == 1 and all(row.state == "failed" for row in rows):
        raise ConfigError(f"all of {len(rows)} trials failed alike: {reasons.pop()}")


def _stopped(study: Study, folder: Path, storage: str) -> StoppedError:
    n_over = len(study.rows())
    where = " --storage URL" if storage else ""
    return StoppedError(
        f"Stopped; {n_over} of {study.search.n_trials} trials are over and kept. Go on with:\n"
        f"  cellwise tune {as_typed(folder)} --resume{where}"
    )


def _check(folder: Path, *, resume: bool) -> None:
    """A new search takes an empty folder or none.

    Raises:
        ConfigError: it cannot be had, or several processes train together.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError(
            "a search is no training by several processes; start `cellwise tune` by itself, "
            "several times with the same --out and --resume to share the work"
        )
    try:
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"{folder} is a file; a search needs a folder")
        folder.mkdir(parents=True, exist_ok=True)
        if not resume and any(folder.iterdir()):
            raise ConfigError(
                f"{folder} is not empty. Choose another --out, or go on with the search there: "
                "--resume"
            )
    except OSError as error:
        raise ConfigError(f"{folder} cannot hold a search: {error.strerror}") from error
