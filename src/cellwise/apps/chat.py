"""`cellwise chat`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from cellwise.apps.inputs import input_lines
from cellwise.apps.results import (
    DecodingOption,
    DeviceOption,
    JsonOption,
    RunArgument,
    as_json_text,
    decoding_changes,
)
from cellwise.errors import ConfigError

PROMPT = "you> "
FORGET = "/forget"


def chat(
    run: RunArgument,
    *,
    set_: DecodingOption = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
    name: Annotated[str, typer.Option(help="How the model is called on the screen.")] = "run",
) -> None:
    """Talk with a run of the task converse: it answers each line, and knows the turns before.

    An empty line or /forget starts a new conversation, the end of the input (Ctrl-D) ends it.

    \b
    Examples:
      cellwise chat runs/converse
      cellwise chat runs/converse --set decoding.mutual_information=0.5
      printf 'Hello\\nHow are you?\\n' | cellwise chat runs/converse --json
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    changes = decoding_changes(set_)
    from cellwise.tasks.converse import Converse
    from cellwise.training.run import load_run

    loaded = load_run(run, device=device)
    if not isinstance(loaded.task, Converse):
        raise ConfigError(
            f"{run} is a run of task '{loaded.config.task}', which does not converse; chat with a "
            "run of task 'converse', or ask this one with `cellwise predict`"
        )
    turns: list[str] = []
    on_terminal = sys.stdin is not None and sys.stdin.isatty() and not as_json
    for line in _said(on_terminal=on_terminal):
        if not line or line == FORGET:
            turns.clear()
            continue
        turns.append(line)
        answer = next(loaded.answers(["\t".join(turns)], **changes))
        turns.append(answer.text)
        if as_json:
            print(as_json_text({**answer.record, "source": line}), flush=True)
        else:
            print(f"{name}> {answer.text}" if on_terminal else answer.text, flush=True)


def _said(*, on_terminal: bool) -> Iterator[str]:
    """The lines of standard input, without needless blanks; on a terminal, with a prompt."""
    for line in _typed() if on_terminal else input_lines(["-"], whole=False):
        yield " ".join(line.split())


def _typed() -> Iterator[str]:
    """What a person types, who may edit a line and go back to earlier ones where Python can."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - changes what input() does
    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            print()
            return
