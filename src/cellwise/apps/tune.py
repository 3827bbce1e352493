"""`cellwise tune`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellwise.apps.results import as_json_text
from cellwise.errors import ConfigError

if TYPE_CHECKING:
    from cellwise.training.tune_results import Found
    from cellwise.training.tune_search import Search


SearchArgument = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG.toml | RECIPE | FOLDER",
        help="A configuration, a recipe's name, or with --resume the folder of a search.",
        show_default=False,
    ),
]
VaryOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SECTION.KEY=SPEC",
        help="What varies: LOW..HIGH, LOW..HIGH:STEP, log:LOW..HIGH or A|B|C; repeatable.",
    ),
]
TrialsOption = Annotated[
    int | None, typer.Option(min=1, help="Trials in all; else 20, or a whole grid.")
]
MinutesOption = Annotated[
    float | None, typer.Option(help="Start no trial after so many minutes; else no limit.")
]
SamplerOption = Annotated[
    str | None, typer.Option(metavar="tpe|random|grid", help="Who proposes settings; else tpe.")
]
PrunerOption = Annotated[
    str | None, typer.Option(metavar="median|none", help="What ends trials early; else median.")
]
KeepOption = Annotated[
    int | None, typer.Option(help="Of how many of the best the weights are kept; else 1.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; repeatable."),
]
OutOption = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="The search's folder; else searches/NAME-DATE-TIME."),
]
StorageOption = Annotated[
    str, typer.Option(metavar="URL", help="A database; else study.db in the folder.")
]


def tune(
    config: SearchArgument = "",
    *,
    vary: VaryOption = None,
    trials: TrialsOption = None,
    minutes: MinutesOption = None,
    sampler: SamplerOption = None,
    pruner: PrunerOption = None,
    keep: KeepOption = None,
    set_: SetOption = None,
    out: OutOption = None,
    storage: StorageOption = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the search, or join it.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Search for settings: train with many, and keep the best by the dev metric.

    \b
    Examples:
      cellwise tune pronounce --vary training.learning_rate=1e-4..1e-2 --trials 10
      cellwise tune my.toml --vary 'model.cell=lstm|gru' --vary model.hidden_size=64..512:64
      cellwise tune searches/first --resume --trials 40
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    names = ("trials", "minutes", "sampler", "pruner", "keep")
    values = (trials, minutes, sampler, pruner, keep)
    said = zip(names, values, strict=True)
    changes = {name: value for name, value in said if value is not None}
    place = (out, storage)
    search, folder = choose_search(config, vary or (), changes, set_ or (), place, resume=resume)
    found = _searched(search, folder, storage, resume=resume, quiet=quiet)
    print(as_json_text(_record(found)) if as_json else _summary(found))


def choose_search(
    config: str,
    vary: Sequence[str],
    changes: dict[str, Any],
    overrides: Sequence[str],
    place: tuple[Path | None, str],
    *,
    resume: bool,
) -> tuple[Search, Path]:
    """The search and its folder that the arguments mean; `place`: --out and --storage.

    Raises:
        ConfigError: they contradict each other, or a key or a value is not accepted.
    """
    from cellwise.training.config import load_config
    from cellwise.training.sources import is_folder
    from cellwise.training.tune_search import Search
    from cellwise.training.tune_settings import load_settings

    out, storage = place
    folder = Path(config) if config else out
    of_search = bool(config) and is_folder(config, "base.toml", "study.db")
    said = {f"tune.{key}": f"--{key} {value}" for key, value in changes.items()}
    if resume and folder is not None and (not config or of_search):
        if out is not None and out.resolve() != folder.resolve():
            raise ConfigError(f"--resume goes on in {folder}; --out {out} is another folder")
        if vary or overrides:
            raise ConfigError(
                f"the search in {folder} goes on with what it varies and sets; leave --vary and "
                "--set out, or start a new search with another --out"
            )
        return _saved(folder, storage, changes, said), folder
    if not config:
        raise ConfigError(
            "say what to search around: `cellwise tune CONFIG.toml` or `cellwise tune RECIPE` "
            "(`cellwise recipes` lists them), or go on: `cellwise tune FOLDER --resume`"
        )
    if resume and out is None:
        raise ConfigError("say which search to resume: `cellwise tune FOLDER --resume`")
    if of_search and not (Path(config) / "base.toml").is_file():
        raise ConfigError(
            f"{config} is a folder, and there is no search in it: name a configuration file, such "
            f"as {Path(config) / 'mine.toml'}"
        )
    if of_search:
        raise ConfigError(f"{config} is a folder; to go on with the search in it, add --resume")
    settings = load_settings(config, {**changes, **parse_vary(vary)}, said)
    return Search.make(load_config(config, overrides), settings), out or _default_folder(config)


def parse_vary(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """What `--vary` says, as a part of the `[tune]` table; {} where it says nothing.

    Raises:
        ConfigError: a text is not of the form key=spec, or a key comes twice.

    Example:
        >>> parse_vary(["training.epochs=2..8"])
        {'vary': {'training.epochs': '2..8'}}
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, spec = (part.strip() for part in text.partition("="))
        if not key or not equals:
            raise ConfigError(
                f"--vary {text}: write section.key=spec, as in --vary training.epochs=2..8"
            )
        if key in found:
            raise ConfigError(f"--vary {text}: '{key}' varies already; give all of it at once")
        found[key] = spec
    return {"vary": found} if found else {}


def _saved(folder: Path, storage: str, changes: dict[str, Any], said: dict[str, str]) -> Search:
    from cellwise.training.tune_search import Search
    from cellwise.training.tune_store import saved_record

    return Search.of(saved_record(folder, storage=storage), changes, said)


def _default_folder(config: str) -> Path:
    return Path("searches") / f"{Path(config).stem}-{datetime.now():%Y%m%d-%H%M%S}"


def _searched(search: Search, folder: Path, storage: str, *, resume: bool, quiet: bool) -> Found:
    """Search, and draw anew whenever a trial is over."""
    from cellwise.explain.trials_plot import check_plots, draw_trials
    from cellwise.training.progress import make_reporter
    from cellwise.training.tune import tune as start

    check_plots()
    reporter = make_reporter(quiet=quiet)
    reporter.note(f"folder of the search: {folder}")
    return start(
        search,
        folder,
        storage=storage,
        resume=resume,
        reporter=reporter,
        over=lambda found: draw_trials(found, folder / "trials.png"),
    )


def _record(found: Found) -> dict[str, Any]:
    """What was found, for programs."""
    best = found.best
    return {
        "folder": str(found.folder),
        "metric": found.search.metric,
        "goal": found.search.goal,
        "why": found.why,
        "best": None if best is None else {**asdict(best), "run": str(_run(found, best.number))},
        "trials": [asdict(row) for row in found.rows],
    }


def _run(found: Found, number: int) -> Path:
    from cellwise.training.tune_results import trial_folder

    return trial_folder(found.folder, number)


def _summary(found: Found) -> str:
    from cellwise.training.stops import as_typed

    lines = [*_table(found), f"The search is over for now: {found.why}."]
    best = found.best
    if best is None:
        return "\n".join([*lines, "No trial was done, so there is no best one."])
    lines += [
        f"Best on dev: {found.search.metric} {best.value:.5g}, trial {best.number}, "
        f"epoch {best.best_epoch}.",
        f"Tables and plots are in {found.folder}. Use the best settings:",
        f"  cellwise train {as_typed(found.folder / 'best.toml')}",
    ]
    if found.search.settings.keep:
        lines.append(f"  cellwise evaluate {as_typed(_run(found, best.number))}")
    return "\n".join(lines)


def _table(found: Found) -> list[str]:
    """The table of trials: drawn on a terminal, Markdown elsewhere."""
    from cellwise.training.tune_trials import as_markdown

    cells = found.cells()
    if not sys.stdout.isatty():
        return [as_markdown(cells)]
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in cells[0]:
        drawn.add_column(head, no_wrap=head != cells[0][-1])
    for line in cells[1:]:
        shown = [escape(cell) for cell in line]  # a bracket in a cell is no style
        drawn.add_row(*shown, style="bold" if line[-1] == "best" else None)
    Console().print(drawn)
    return []
