"""`cellwise predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cellwise.apps.attention import AttentionOption, AttentionOutput
from cellwise.apps.inputs import TextsArgument, input_lines
from cellwise.apps.results import (
    DecodingOption,
    DeviceOption,
    EnsembleOption,
    JsonOption,
    RunArgument,
    as_json_text,
    decoding_changes,
)
from cellwise.apps.trees import TreeOutput


def predict(
    run: RunArgument,
    texts: TextsArgument = None,
    *,
    set_: DecodingOption = None,
    device: DeviceOption = "cpu",
    ensemble: EnsembleOption = None,
    as_json: JsonOption = False,
    svg: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.svg | FOLDER",
            help="Draw trees, too: in a file (more of them in FILE-2.svg …) or a folder.",
        ),
    ] = None,
    attention: AttentionOption = None,
) -> None:
    """Answer each text, or each line of standard input as it comes.

    Trees are shown in colour on a terminal, in brackets elsewhere.

    \b
    Examples:
      cellwise predict runs/pronounce cellwise recurrent
      cellwise predict runs/pronounce - < words.txt > answers.txt
      cellwise predict runs/compose "(_ (_ It) (_ (_ 's) (_ good)))" --svg tree.svg
      cellwise predict runs/describe photo.jpg --attention looks.png
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    lines = input_lines(texts or [])
    looks = AttentionOutput(attention)
    changes = decoding_changes(set_)
    from cellwise.training.run import load_run

    trees = TreeOutput(svg, coloured=not as_json)
    loaded = load_run(run, device=device, ensemble=ensemble or ())
    for answer in loaded.answers(lines, **{**changes, **looks.decoding(loaded)}):
        looks.show(answer)
        if trees.show(answer):
            continue
        text = as_json_text(answer.record) if as_json else answer.text
        print(text, flush=True)
