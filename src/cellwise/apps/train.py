"""`cellwise train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwise.apps.results import as_json_text
from cellwise.errors import ConfigError

if TYPE_CHECKING:
    from cellwise.training.config import RunConfig
    from cellwise.training.progress import Reporter
    from cellwise.training.run import Outcome


def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG.toml | RECIPE | RUN",
            help="A configuration, a recipe's name, or with --resume a run folder.",
            show_default=False,
        ),
    ] = "",
    *,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="The run folder; else runs/NAME-DATE-TIME."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where RUN stopped.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a model. Its run folder holds all that it is made of.

    \b
    Examples:
      cellwise train pronounce --out runs/pronounce
      cellwise train my.toml --set training.epochs=5 --set model.cell=gru
      cellwise train runs/pronounce --resume
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    settings, folder = choose_run(config, set_ or (), out, resume=resume)
    from cellwise.training.progress import make_reporter
    from cellwise.training.run import train as start

    reporter = make_reporter(quiet=quiet)
    outcome = start(settings, folder, resume=resume, reporter=reporter)
    if not outcome.main:
        return
    metrics = _test(folder, settings.training.device, reporter)
    if as_json:
        told = {name: value for name, value in asdict(outcome).items() if name != "main"}
        print(as_json_text({"run": str(folder), **told, "test": metrics}))
    else:
        print(_summary(folder, settings, outcome, metrics))


def choose_run(
    config: str, overrides: Sequence[str], out: Path | None, *, resume: bool
) -> tuple[RunConfig, Path]:
    """The configuration to train with and the run folder that the arguments mean."""
    from cellwise.training.config import load_config
    from cellwise.training.run import load_run_config
    from cellwise.training.sources import is_folder

    if not config and not (resume and out):
        raise ConfigError(
            "say what to train: `cellwise train CONFIG.toml` or `cellwise train RECIPE` "
            "(`cellwise recipes` lists them), or go on with a run: `cellwise train RUN --resume`"
        )
    of_run = bool(config) and is_folder(config, "config.toml")
    if resume and (not config or of_run):
        folder = Path(config) if config else out
        assert folder is not None
        if out is not None and out.resolve() != folder.resolve():
            raise ConfigError(f"--resume goes on in {folder}; --out {out} is another folder")
        return load_run_config(folder, overrides), folder
    if resume and out is None:
        raise ConfigError(
            f"there is no run {config}, nor does --out say where one is: "
            "`cellwise train RUN --resume` goes on with the run in the folder RUN"
        )
    if of_run and not (Path(config) / "config.toml").is_file():
        raise ConfigError(
            f"{config} is a folder, and there is no run in it: name a configuration file, such as "
            f"{Path(config) / 'mine.toml'}"
        )
    if of_run:
        raise ConfigError(f"{config} is a folder; to go on with the run in it, add --resume")
    return load_config(config, overrides), out or _default_folder(config)


def _default_folder(config: str) -> Path:
    return Path("runs") / f"{Path(config).stem}-{datetime.now():%Y%m%d-%H%M%S}"


def _test(folder: Path, device: str, reporter: Reporter) -> dict[str, float] | None:
    """The best model's metrics on the test part; None if the configuration names none."""
    from cellwise.training.run import load_run

    run = load_run(folder, device=device)
    examples = run.task.read("test")
    if not examples:
        reporter.note("no test examples are configured, so the dev metric is all there is")
        return None
    reporter.begin("testing", len(examples))
    try:
        return run.evaluate_examples(examples, advance=reporter.advance)
    finally:
        reporter.end()


def _summary(
    folder: Path, config: RunConfig, outcome: Outcome, metrics: dict[str, float] | None
) -> str:
    from cellwise.apps.results import metric_table
    from cellwise.training.progress import duration
    from cellwise.training.stops import as_typed

    lines = [f"Trained for {duration(outcome.seconds)}: {outcome.why}."]
    if outcome.best_value is not None:
        metric = config.make_task().metric
        lines.append(f"Best on dev: {metric} {outcome.best_value:.4f}, epoch {outcome.best_epoch}.")
    if metrics is not None:
        lines += ["Test:", metric_table(metrics)]
    lines += [
        f"The run is in {folder}. Use it:",
        f"  cellwise predict {as_typed(folder)} TEXT",
        f"  cellwise evaluate {as_typed(folder)} --data FILE",
    ]
    return "\n".join(lines)
