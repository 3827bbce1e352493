"""`cellwise evaluate`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cellwise.apps.confusion import check_classes, confusion_record, confusion_text
from cellwise.apps.results import (
    DecodingOption,
    DeviceOption,
    EnsembleOption,
    JsonOption,
    RunArgument,
    as_json_text,
    decoding_changes,
    metric_table,
)

if TYPE_CHECKING:
    from cellwise.tasks.base import Report


class PartName(StrEnum):
    """The parts of a configuration's data that a trained model can be judged on."""

    train = "train"
    dev = "dev"
    test = "test"


def evaluate(
    run: RunArgument,
    *,
    data: Annotated[
        str | None, typer.Option(metavar="FILE", help="Examples in the task's format.")
    ] = None,
    part: Annotated[
        PartName, typer.Option(help="Without --data, the part of the run's own data.")
    ] = PartName.test,
    set_: DecodingOption = None,
    device: DeviceOption = "cpu",
    ensemble: EnsembleOption = None,
    confusion: Annotated[
        bool,
        typer.Option(
            "--confusion", help="Show which classes are taken for which, and each one's scores."
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a trained model on a file, or on a part of its data.

    \b
    Examples:
      cellwise evaluate runs/pronounce
      cellwise evaluate runs/topics --part dev --confusion
      cellwise evaluate runs/pronounce --ensemble runs/second --ensemble runs/third
      cellwise evaluate runs/pronounce --data words.tsv --set decoding.beam_size=10 --json
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    from cellwise.training.progress import make_reporter
    from cellwise.training.run import load_run

    changes = decoding_changes(set_)
    loaded = load_run(run, device=device, ensemble=ensemble or ())
    examples = loaded.examples(data, part=part.value)
    reporter = make_reporter(quiet=quiet)
    reporter.begin("evaluating", len(examples))
    try:
        report = loaded.report(examples, advance=reporter.advance, **changes)
    finally:
        reporter.end()
    if confusion:
        check_classes(report, loaded.config.task)
    print(_as_json(report, confusion) if as_json else _as_text(report, confusion))


def _as_json(report: Report, confusion: bool) -> str:
    more = confusion_record(report) if confusion else {}
    return as_json_text({**report.metrics, **report.notes, **more})


def _as_text(report: Report, confusion: bool) -> str:
    notes = [f"  {name}: {note}" for name, note in report.notes.items()]
    more = [f"\n{confusion_text(report)}"] if confusion else []
    return "\n".join([metric_table(report.metrics), *notes, *more])
