"""`cellwise evaluate`."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from cellwise.apps.results import (
    DecodingOption,
    DeviceOption,
    JsonOption,
    RunArgument,
    decoding_changes,
    metric_table,
)


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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a trained model on a file, or on a part of its data.

    \b
    Examples:
      cellwise evaluate runs/pronounce
      cellwise evaluate runs/pronounce --data words.tsv --set decoding.beam_size=10 --json
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    from cellwise.training.progress import make_reporter
    from cellwise.training.run import load_run

    changes = decoding_changes(set_)
    loaded = load_run(run, device=device)
    examples = loaded.examples(data, part=part.value)
    reporter = make_reporter(quiet=quiet)
    reporter.begin("evaluating", len(examples))
    try:
        metrics = loaded.evaluate_examples(examples, advance=reporter.advance, **changes)
    finally:
        reporter.end()
    print(json.dumps(metrics) if as_json else metric_table(metrics))
