"""What a search has found: its tables, its best configuration, and the weights that it keeps."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from cellwise.training.checkpoints import write_atomically
from cellwise.training.tune_search import Search
from cellwise.training.tune_trials import Row, as_csv, as_markdown, best_first, table
from cellwise.training.writing import write_config


@dataclass(frozen=True)
class Found:
    """What a search has found so far.

    Attributes:
        search: what was searched.
        folder: where.
        why: why this sitting is over, in words.
        rows: the trials that are over.
    """

    search: Search
    folder: Path
    why: str
    rows: list[Row]

    @property
    def best(self) -> Row | None:
        """The best trial, if one was done."""
        return next(iter(best_first(self.rows, self.search.goal)), None)

    def cells(self) -> list[list[str]]:
        """The trials as the cells of a table, its head first."""
        return table(self.rows, self.search.keys, self.search.metric, self.search.goal)


def trial_folder(folder: Path, number: int) -> Path:
    """The run folder of a trial of the search in `folder`.

    Example:
        >>> trial_folder(Path("search"), 7).as_posix()
        'search/trials/007'
    """
    return folder / "trials" / f"{number:03}"


def write_results(found: Found) -> None:
    """Bring trials.csv, trials.md and best.toml up to date."""
    search, folder = found.search, found.folder
    csv = as_csv(found.rows, search.keys, search.metric)
    write_atomically(folder / "trials.csv", csv.encode())
    write_atomically(folder / "trials.md", _page(found).encode())
    if found.best is not None:
        best = write_config(search.trial_config(found.best.settings))
        write_atomically(folder / "best.toml", best.encode())


def keep_weights(found: Found) -> None:
    """Remove what is large in the runs of all but the best trials: weights and checkpoints."""
    own = [row for row in best_first(found.rows, found.search.goal) if not row.reason]
    kept = {row.number for row in own[: found.search.settings.keep]}
    for row in found.rows:
        if row.number not in kept:
            run = trial_folder(found.folder, row.number)
            (run / "model.safetensors").unlink(missing_ok=True)
            shutil.rmtree(run / "last", ignore_errors=True)


def _page(found: Found) -> str:
    search = found.search
    wanted = {"min": "lower", "max": "higher"}[search.goal]
    head = f"Trials of `{search.config.task}` by `{search.metric}` on dev, the {wanted} the better."
    return f"{head}\n\n{as_markdown(found.cells())}"
