"""`cellwise encode`."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwise.apps.inputs import TextsArgument, input_lines
from cellwise.apps.results import DeviceOption, RunArgument
from cellwise.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from cellwise.apps.vector_files import VectorFile
    from cellwise.training.progress import Reporter
    from cellwise.training.run import Run


def encode(
    run: RunArgument,
    texts: TextsArgument = None,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npy | FILE.jsonl", help="Write there; else JSON lines are printed."
        ),
    ] = None,
    device: DeviceOption = "cpu",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Turn each text, or each line of standard input, into the vector a trained model makes of it.

    An .npy file holds float32 [texts, numbers]; a line of JSON holds text and vector. Files of any
    size are read and written as they come.

    \b
    Examples:
      cellwise encode runs/topics "Oil prices fall" --out vectors.jsonl
      cellwise encode runs/topics - --out vectors.npy < news.txt
    """  # noqa: D301 - \b keeps the lines of the example apart in the help
    if out is not None and out.suffix not in (".npy", ".jsonl"):
        raise ConfigError(f"--out {out}: the name of the file must end in .npy or .jsonl")
    lines = input_lines(texts or [], whole=False)
    from cellwise.training.progress import make_reporter
    from cellwise.training.run import load_run

    reporter = make_reporter(quiet=quiet or out is None)
    pairs = _paired(load_run(run, device=device), lines)
    total = len(lines) if isinstance(lines, list) else 0
    with ExitStack() as stack:
        file = _opened(out, stack)
        _write(pairs, file, reporter, total)


def _paired(run: Run, lines: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    """Each line with its vector; a task may read some lines ahead."""
    ahead: deque[str] = deque()

    def passing() -> Iterator[str]:
        for line in lines:
            ahead.append(line)
            yield line

    return ((ahead.popleft(), vector) for vector in run.vectors(passing()))


def _opened(out: Path | None, stack: ExitStack) -> VectorFile:
    from cellwise.apps.vector_files import JsonLines, NpyFile

    if out is None:
        return JsonLines(sys.stdout.buffer)
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".npy":
        return stack.enter_context(NpyFile(out))
    return JsonLines(stack.enter_context(out.open("wb")))


def _write(
    pairs: Iterator[tuple[str, Tensor]], file: VectorFile, reporter: Reporter, total: int
) -> None:
    reporter.begin("encoding", total)
    try:
        for text, vector in pairs:
            file.write(text, vector.float().cpu().numpy())
            reporter.advance(1)
    finally:
        reporter.end()
