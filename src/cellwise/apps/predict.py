"""`cellwise predict`."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from cellwise.apps.results import (
    DecodingOption,
    DeviceOption,
    JsonOption,
    RunArgument,
    decoding_changes,
)
from cellwise.apps.trees import TreeOutput
from cellwise.errors import ConfigError, DataError


def predict(
    run: RunArgument,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT … | -", help="Inputs; - reads a line each from standard input."
        ),
    ] = None,
    *,
    set_: DecodingOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
    svg: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.svg | FOLDER",
            help="Draw trees, too: in a file (more of them in FILE-2.svg …) or a folder.",
        ),
    ] = None,
) -> None:
    """Answer each text, or each line of standard input as it comes.

    Trees are shown in colour on a terminal, in brackets elsewhere.

    \b
    Examples:
      cellwise predict runs/pronounce cellwise recurrent
      cellwise predict runs/pronounce - < words.txt > answers.txt
      cellwise predict runs/compose "(_ (_ It) (_ (_ 's) (_ good)))" --svg tree.svg
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    lines = _lines(texts or [])
    changes = decoding_changes(set_)
    from cellwise.training.run import load_run

    trees = TreeOutput(svg, coloured=not as_json)
    for answer in load_run(run, device=device).answers(lines, **changes):
        if trees.show(answer):
            continue
        text = json.dumps(answer.record, ensure_ascii=False) if as_json else answer.text
        print(text, flush=True)


def _lines(texts: list[str]) -> Iterable[str]:
    """A list is answered in batches; what comes through a pipe or from a person, line by line."""
    if texts and texts != ["-"]:
        return texts
    if sys.stdin is None:
        raise ConfigError("standard input is closed; give a TEXT to answer")
    if not texts and sys.stdin.isatty():
        raise ConfigError("give a TEXT to answer, or - to read lines from standard input")
    return list(_standard_input()) if _is_file() else _standard_input()


def _is_file() -> bool:
    """Whether standard input is a file (`< words.txt`), all of which is there already."""
    try:
        return stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode)
    except io.UnsupportedOperation:  # standard input was replaced by an object without a handle
        return False


def _standard_input() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"standard input, line {number}: not UTF-8 text") from error
